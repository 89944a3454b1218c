"""Files into records: csv, tsv, JSON lines, a JSON array, parquet. Nothing here knows what a text or a label is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from probes.errors import InputError

FIELD_LIMIT = 2**31 - 1
"""Longest csv field, in characters: the largest that a C long holds everywhere; the default is 131,072."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF8_MARK = b"\xef\xbb\xbf"


class CorpusError(InputError):
    """Data that cannot be used: `message` says what is wrong, `hint` what to do."""


class Record(NamedTuple):
    """One record of a file: where it stands (`line 7`, `row 7`), and its values by column."""

    place: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """An opened file. `class_names` holds the names behind a column's integers, where the file itself states them."""

    columns: tuple[str, ...]
    records: Iterator[Record]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def open_table(path: Path) -> Table:
    """Opens a data file by its suffix; records are read as they are asked for.

    A directory of numbered parts (0000.parquet, 0001.parquet, …) is read as one file.

    Raises:
        CorpusError: no such file, an unknown suffix, or contents that are malformed (also while records are read).
    """
    if path.is_dir():
        return open_parts(path)
    if not path.exists():
        raise CorpusError(f"no such file: {path}", hint="Give a path to a data file, or hub:DATASET.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CorpusError(f"{path.name}: unknown kind of file", hint=f"Known: {', '.join(READERS)}.")
    try:
        table = reader(path)
    except OSError as error:
        raise unreadable(path, error) from error
    return Table(table.columns, guarded(path, table.records), table.class_names)


def open_parts(folder: Path) -> Table:
    parts = sorted((p for p in folder.iterdir() if p.suffix.lower() in READERS), key=lambda p: (len(p.stem), p.stem))
    if not parts or not all(p.stem.isdigit() and p.suffix == parts[0].suffix for p in parts):
        raise CorpusError(f"{folder} is a directory", hint=f"Give a file: {', '.join(READERS)}.")
    first = open_table(parts[0])

    def records() -> Iterator[Record]:
        for part in parts:
            table = open_table(part)
            if table.columns != first.columns:
                raise CorpusError(f"{part.name} has other columns than {parts[0].name}")
            yield from (Record(f"{part.name}, {record.place}", record.values) for record in table.records)

    return Table(first.columns, records(), first.class_names)


def guarded(path: Path, records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from records
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(f"{path.name} cannot be read: {error.strerror or error}", hint="Check the file's permissions.")


def decoded_lines(path: Path) -> Iterator[str]:
    """Lines, split at \\n alone, as UTF-8 with or without a byte order mark."""
    offset = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            start = 0
            if number == 1:
                if raw.startswith(UTF16_MARKS):
                    raise CorpusError(f"{path.name} is UTF-16, not UTF-8", hint=f"Convert it: {iconv(path, 'UTF-16')}")
                start = len(UTF8_MARK) if raw.startswith(UTF8_MARK) else 0
            try:
                yield raw[start:].decode("utf-8")
            except UnicodeDecodeError as error:
                at = start + error.start
                raise CorpusError(
                    f"{path.name}, line {number}: byte 0x{raw[at]:02x} at offset {offset + at} is not UTF-8",
                    hint=f"Convert the file, for example: {iconv(path, 'WINDOWS-1252')}",
                ) from None
            offset += len(raw)


def iconv(path: Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}"


@contextmanager
def long_fields() -> Iterator[None]:
    """Lifts the csv module's limit, which is one for the whole process, and puts it back."""
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def read_csv(path: Path) -> Table:
    return delimited(path, ",")


def read_tsv(path: Path) -> Table:
    return delimited(path, "\t")


def delimited(path: Path, delimiter: str) -> Table:
    """RFC 4180 with a header. A row of another width is refused: a comma that nobody quoted would cut a text."""
    rows = delimited_rows(path, delimiter)
    header = next(rows, None)
    if header is None:
        raise CorpusError(f"{path.name} is empty", hint="The first line names the columns, for example: text,label")
    columns = tuple(name.strip() for name in header[1])

    def records() -> Iterator[Record]:
        for line, fields in rows:
            if len(fields) != len(columns):
                raise CorpusError(
                    f"{path.name}, line {line}: {len(fields)} fields where the header has {len(columns)}",
                    hint='Put a text that holds the separator into double quotes: "like, this"',
                )
            yield Record(f"line {line}", dict(zip(columns, fields, strict=True)))

    return Table(columns, records())


def delimited_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Fields of each row that is not blank, with the line on which the row begins."""
    reader = csv.reader(decoded_lines(path), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            with long_fields():
                fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CorpusError(
                f"{path.name}, row from line {line}: {error}",
                hint='A field that holds a double quote is quoted, and the quote doubled: "she said ""no"""',
            ) from None
        if fields:
            yield line, fields


def read_json_lines(path: Path) -> Table:
    return from_objects(path, json_lines(path))


def json_lines(path: Path) -> Iterator[Record]:
    for number, line in enumerate(decoded_lines(path), 1):
        if line.strip():
            place = f"line {number}"
            yield Record(place, as_object(path, place, parse_json(path, place, line)))


def read_json(path: Path) -> Table:
    """An array of objects; a file that begins with an object is read as JSON lines, which often bear this suffix."""
    text = "".join(decoded_lines(path))
    if text.lstrip().startswith("{"):
        return read_json_lines(path)
    if not text.strip():
        raise CorpusError(f"{path.name} is empty")
    found = parse_json(path, "", text)
    if not isinstance(found, list):
        raise CorpusError(f"{path.name} holds {kind(found)}, not an array of objects")
    places = ((f"item {n}", item) for n, item in enumerate(found, 1))
    return from_objects(path, (Record(place, as_object(path, place, item)) for place, item in places))


def parse_json(path: Path, place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = place or f"line {error.lineno}"
        raise CorpusError(f"{path.name}, {where}, column {error.colno}: malformed JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        where = f", {place}" if place else ""
        raise CorpusError(f"{path.name}{where}: JSON nested too deeply, or a number too long") from None


def as_object(path: Path, place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CorpusError(f'{path.name}, {place}: {kind(value)} where an object such as {{"text": "…"}} should be')
    return value


def from_objects(path: Path, records: Iterator[Record]) -> Table:
    """Columns are the keys of the first object."""
    first = next(records, None)
    if first is None:
        raise CorpusError(f"{path.name} is empty")
    return Table(tuple(first.values), chain([first], records))


def read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise CorpusError(
            f"{path.name}: reading parquet needs pyarrow", hint="pip install 'auditor[parquet]'"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        schema = file.schema_arrow
    except pyarrow.ArrowException as error:
        raise CorpusError(f"{path.name} is not a readable parquet file: {error}") from None

    def records() -> Iterator[Record]:
        number = 0
        try:
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", values)
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise CorpusError(f"{path.name} is damaged after row {number}: {error}") from None

    return Table(tuple(schema.names), records(), declared_classes(schema.metadata or {}))


def declared_classes(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Class names that the `datasets` library writes beside a parquet schema; empty where there are none to read."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {c: tuple(map(str, f["names"])) for c, f in features.items() if isinstance(f, dict) and f.get("names")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def kind(value: Any) -> str:
    """A JSON value's kind in words."""
    words = {dict: "an object", list: "an array", str: "a string", bool: "a truth value", type(None): "null"}
    return words.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")


READERS: Mapping[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
}
