"""JSON: one object a line, an array of objects, and objects that hold such arrays or whole columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from probes import reading
from probes.corpus.readers.source import Source, examine
from probes.corpus.readers.table import CorpusError, Record, Table, kind, nothing_in

WAY_OUT = 'Write one object a line (JSON lines): {"text": "…", "label": "…"}'

Items = Iterable[tuple[str, Any]]


def read_json_lines(path: Path) -> Table:
    """One object a line; a file that holds one JSON value over several lines is read as `read_json` does.

    Raises:
        CorpusError: malformed JSON, or no objects (also while records are read).
    """
    return read_objects(path, lines_first=True)


def read_json(path: Path) -> Table:
    """One JSON value: an array of objects; an object that holds one such array (`{"data": […]}`), or a column an entry
    (`{"text": […], "label": […]}`), also as pandas writes it. JSON lines often bear this suffix and are read too.

    Raises:
        CorpusError: malformed JSON, or another shape; the message says which.
    """
    return read_objects(path, lines_first=False)


def read_objects(path: Path, *, lines_first: bool) -> Table:
    source = examine(path)
    lead = source.head.lstrip()[:1]
    if not lead and not any(line.strip() for line in source.lines()):
        raise nothing_in(path)
    if lead == "{" or lines_first:
        first, several = first_value(source)
        if isinstance(first, dict) and (several or is_record(first, alone=lines_first)):
            return from_objects(path, json_lines(source), described("JSON lines", source))
        if first is not None and several:
            # The first line is a value of its own, and no object: the reader of lines says so.
            return from_objects(path, json_lines(source), "")
        if first is None and lines_first and lead not in ("{", "["):
            return from_objects(path, json_lines(source), "")
    return from_value(source, lines_first=lines_first)


def first_value(source: Source) -> tuple[Any, bool]:
    """The first line's value (None where it is none), and whether other lines follow."""
    filled = (line for line in source.lines() if line.strip())
    try:
        first = next(filled, "")
        found = reading.parse_json(first)
    except (CorpusError, ValueError):
        return None, False
    return found, next(filled, None) is not None


def described(words: str, source: Source) -> str:
    return ", ".join((words, *source.found))


def json_lines(source: Source) -> Iterator[Record]:
    path = source.path
    for number, line in enumerate(source.lines(), 1):
        if line.strip():
            place = f"line {number}"
            yield Record(place, as_object(path, place, parse_json(path, place, line)))


def parse_json(path: Path, place: str, text: str) -> Any:
    try:
        return reading.parse_json(text)
    except json.JSONDecodeError as error:
        where = place or f"line {error.lineno}"
        raise CorpusError(f"{path.name}, {where}, column {error.colno}: malformed JSON: {error.msg}") from None
    except ValueError:
        where = f", {place}" if place else ""
        raise CorpusError(
            f"{path.name}{where}: JSON nested too deeply, of too many values, or a number too long"
        ) from None


def as_object(path: Path, place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CorpusError(f'{path.name}, {place}: {kind(value)} where an object such as {{"text": "…"}} should be')
    return value


def from_objects(path: Path, records: Iterator[Record], words: str, notes: tuple[str, ...] = ()) -> Table:
    """Columns are the keys of the first object; those that later ones have beside come into `later`."""
    first = next(records, None)
    if first is None:
        raise nothing_in(path)
    later: list[str] = []
    known = set(first.values)

    def watched() -> Iterator[Record]:
        for record in records:
            if not known.issuperset(record.values):
                later.extend(key for key in record.values if key not in known)
                known.update(record.values)
            yield record

    return Table(tuple(first.values), chain([first], watched()), format=words, notes=notes, later=later)


def from_value(source: Source, *, lines_first: bool) -> Table:
    path = source.path
    try:
        found = parse_json(path, "", source.text())
    except CorpusError:
        if lines_first:
            return from_objects(path, json_lines(source), "")
        raise
    if isinstance(found, list):
        return from_items(path, array(found), described("JSON, an array", source))
    if not isinstance(found, dict):
        raise CorpusError(f"{path.name} holds {kind(found)}, not an array of objects", hint=WAY_OUT)
    items, words, note = unpacked(path, found)
    return from_items(path, items, described(words, source), (note,) if note else ())


def from_items(path: Path, items: Items, words: str, notes: tuple[str, ...] = ()) -> Table:
    return from_objects(path, (Record(at, as_object(path, at, item)) for at, item in items), words, notes)


def array(items: Iterable[Any]) -> Items:
    return ((f"item {number}", item) for number, item in enumerate(items, 1))


def is_record(found: Mapping[str, Any], *, alone: bool) -> bool:
    """Whether an object is a record and does not hold records, as an array of objects, as columns, or by number.

    Where it stands `alone` on the line of a file of lines, some plain value of its own is enough to be one.
    """
    plain = any(not isinstance(value, list | dict) for value in found.values())
    return not found or (plain if alone else plain and not tables_in(found))


def tables_in(found: Mapping[str, Any]) -> list[str]:
    return [key for key, value in found.items() if isinstance(value, list) and value and isinstance(value[0], dict)]


def is_split(found: Mapping[str, Any]) -> bool:
    """Whether it is a table as pandas writes it with orient='split'."""
    columns, data = found.get("columns"), found.get("data")
    return isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data)


def unpacked(path: Path, found: Mapping[str, Any]) -> tuple[Items, str, str]:
    """The records of an object that holds them, the shape in words, and a note.

    Raises:
        CorpusError: it could be read in several ways, or in none.
    """
    if is_record(found, alone=False):
        return array([found]), "JSON, one object", ""
    if is_split(found):
        names, rows = [str(name) for name in found["columns"]], found["data"]
        if wrong := next((n for n, row in enumerate(rows, 1) if len(row) != len(names)), 0):
            raise CorpusError(f"{path.name}, item {wrong}: {len(rows[wrong - 1])} values for {len(names)} columns")
        return array(dict(zip(names, row, strict=True)) for row in rows), "JSON, columns and rows", ""
    if tables := tables_in(found):
        if len(tables) > 1:
            raise CorpusError(
                f"{path.name} holds several arrays of objects: {named(tables)}",
                hint="Write the one that you mean to a file of its own.",
            )
        rest = [key for key in found if key != tables[0]]
        note = f"the records are those of {tables[0]!r}" + (f"; not read: {named(rest)}" if rest else "")
        return array(found[tables[0]]), "JSON, an object that holds an array", note
    if all(isinstance(value, list) for value in found.values()):
        return array(by_columns(path, found)), "JSON, a column an entry", ""
    if all(isinstance(value, dict) and value for value in found.values()):
        if numbered(found) and not any(numbered(value) for value in found.values()):
            return array(found.values()), "JSON, objects by number", ""
        keys = [list(value) for value in found.values()]
        if not numbered(found) and numbered(found[next(iter(found))]) and all(k == keys[0] for k in keys):
            columns = {name: list(value.values()) for name, value in found.items()}
            return array(by_columns(path, columns)), "JSON, a column an entry", ""
    raise CorpusError(f"{path.name} holds an object in which no records are known: {named(found)}", hint=WAY_OUT)


def by_columns(path: Path, found: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Records of equally long columns."""
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name!r} {length}" for name, length in islice(lengths.items(), 10))
        raise CorpusError(f"{path.name}: the columns are not equally long: {said}", hint=WAY_OUT)
    names = list(found)
    return (dict(zip(names, values, strict=True)) for values in zip(*found.values(), strict=True))


def numbered(found: Mapping[str, Any]) -> bool:
    return all(key.isdecimal() for key in found)


def named(keys: Iterable[str], most: int = 10) -> str:
    listed = [repr(key[:40]) for key in keys]
    return ", ".join(listed[:most]) + (f", … ({len(listed)} in all)" if len(listed) > most else "")
