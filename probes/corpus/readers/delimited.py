"""Files divided by commas, tabs or the like: which separator it is, whether quotes quote, whether there is a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from probes.corpus.readers.source import Source, examine
from probes.corpus.readers.table import CorpusError, Record, Table, nothing_in

FIELD_LIMIT = 2**24
"""Longest field, in characters; the csv module's own default is 131,072."""
ROW_LIMIT = 2**25
"""Longest row, in characters."""
AT_A_TIME = 256
"""Rows that are parsed between two settings of the csv module's limit."""

COMMA, TAB = ",", "\t"
SEPARATORS = {COMMA: "comma", ";": "semicolon", TAB: "tab", "|": "vertical bar"}
STATED = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
"""A first line by which spreadsheet programs state the separator."""
BROKEN_QUOTE = 'A field that holds a double quote is quoted, and the quote doubled: "she said ""no"""'

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Dialect:
    """How lines are divided into fields.

    Attributes:
        separator: a key of `SEPARATORS`.
        stated: the line `sep=…` stands above the header.
        literal: double quotes are characters like others, and every line is a row.
    """

    separator: str
    stated: bool = False
    literal: bool = False
    notes: tuple[str, ...] = ()


def read_csv(path: Path) -> Table:
    """Rows of RFC 4180 with a header; the separator is a comma unless the header has another and no comma.

    Raises:
        CorpusError: the file is empty, or malformed (also while records are read).
    """
    return read_delimited(path, COMMA)


def read_tsv(path: Path) -> Table:
    """Rows with a header, divided by tabs. Double quotes are read as `tsv_dialect` says.

    Raises:
        CorpusError: the file is empty, or malformed (also while records are read).
    """
    return read_delimited(path, TAB)


def read_delimited(path: Path, usual: str) -> Table:
    """The table; a row of another width than the header is refused: a separator that nobody quoted would cut a text."""
    source = examine(path)
    dialect = separator_of(source, usual)
    if dialect.separator == TAB:
        dialect = tsv_dialect(source, dialect)
    rows = rows_of(source, dialect)
    header = next(rows, None)
    if header is None:
        raise nothing_in(path, hint="The first line names the columns, for example: text,label")
    words = (f"{'tsv' if dialect.separator == TAB else 'csv'}, {SEPARATORS[dialect.separator]}", *source.found)

    def table(columns: tuple[str, ...], rows: Iterator[Row], again: Callable[[], Table] | None) -> Table:
        records = records_of(path, len(columns), columns, rows)
        return Table(columns, records, format=", ".join(words), notes=dialect.notes, headerless=again)

    def headerless() -> Table:
        numbers = tuple(str(n) for n in range(1, len(header[1]) + 1))
        return table(numbers, rows_of(source, dialect), None)

    return table(tuple(name.strip() for name in header[1]), rows, headerless)


def records_of(path: Path, width: int, columns: tuple[str, ...], rows: Iterator[Row]) -> Iterator[Record]:
    for line, fields in rows:
        if len(fields) != width:
            raise CorpusError(
                f"{path.name}, line {line}: {len(fields)} fields where the header has {width}",
                hint='Put a text that holds the separator into double quotes: "like, this"',
            )
        yield Record(f"line {line}", dict(zip(columns, fields, strict=True)))


def separator_of(source: Source, usual: str) -> Dialect:
    """By the first line: what it states, else the usual separator where it is there, else the one that is.

    Raises:
        CorpusError: the line has several of the others, and not the usual one.
    """
    line = next((line for line in source.head.splitlines() if line.strip()), "")
    if stated := STATED.fullmatch(line):
        return Dialect(stated[1], stated=True)
    present = [mark for mark in SEPARATORS if len(next(csv.reader([line], delimiter=mark), [])) > 1]
    if usual in present or not present:
        return Dialect(usual)
    if len(present) > 1:
        raise CorpusError(
            f"{source.path.name}, line 1: the columns could be divided by "
            + " or ".join(f"a {SEPARATORS[mark]}" for mark in present),
            hint="Write sep=; (or the separator that it is) as a line above the header.",
        )
    name = SEPARATORS[present[0]]
    return Dialect(present[0], notes=(f"the columns are divided by a {name}, not by a {SEPARATORS[usual]}",))


def tsv_dialect(source: Source, plain: Dialect) -> Dialect:
    """Whether double quotes at the beginning of a field quote it.

    Some tab-separated files quote as csv does, others never do and take a quote for a character. The reading under
    which every row is as wide as the header is the right one. Where both are, a quote that closes on a later line is
    refused: its rows could be one text or several.

    Raises:
        CorpusError: such a quote.
    """
    literal = Dialect(plain.separator, plain.stated, literal=True, notes=plain.notes)
    marks = ('"', TAB + '"')
    if not any(line.startswith('"') or marks[1] in line for line in source.lines()):
        return literal
    by_line, by_quote = regular(source, literal), regular(source, plain)
    if by_quote is None:
        return noted(literal, "double quotes are read as characters of the texts") if by_line is not None else plain
    if by_line is not None and by_quote:
        raise CorpusError(
            f"{source.path.name}, row from line {by_quote}: a double quote that begins a field closes on a later line, "
            "so that several rows could be one text",
            hint="Save it as csv with commas or as JSON lines, or take out the quote or the line ends in the text.",
        )
    return noted(plain, "double quotes around a field are read as csv does, not as characters of the text")


def noted(dialect: Dialect, note: str) -> Dialect:
    return Dialect(dialect.separator, dialect.stated, dialect.literal, (*dialect.notes, note))


def regular(source: Source, dialect: Dialect) -> int | None:
    """None where some row is malformed or of another width than the first; else the first line of the first row that
    goes over several lines, 0 without such a row.
    """
    width = first = 0
    try:
        for line, fields in rows_of(source, dialect):
            width = width or len(fields)
            if len(fields) != width:
                return None
            if not first and any("\n" in text for text in fields):
                first = line
    except CorpusError:
        return None
    return first


def rows_of(source: Source, dialect: Dialect) -> Iterator[Row]:
    """Fields of each row that is not blank, with the line on which the row begins."""
    lines = source.lines()
    above = 0
    if dialect.stated:
        above = next(number for number, line in enumerate(lines, 1) if line.strip())
    return literal_rows(lines, dialect, above) if dialect.literal else quoted_rows(source, lines, dialect, above)


def literal_rows(lines: Iterator[str], dialect: Dialect, above: int) -> Iterator[Row]:
    for number, line in enumerate(lines, above + 1):
        bare = line.rstrip("\r\n")
        if bare:
            yield number, bare.split(dialect.separator)


def quoted_rows(source: Source, lines: Iterator[str], dialect: Dialect, above: int) -> Iterator[Row]:
    taken = 0

    def counted() -> Iterator[str]:
        nonlocal taken
        for text in lines:
            taken += len(text)
            if taken > ROW_LIMIT:
                raise CorpusError(
                    f"{source.path.name}, row from line {line}: longer than {ROW_LIMIT // 2**20} MiB", hint=BROKEN_QUOTE
                )
            yield text

    reader = csv.reader(counted(), delimiter=dialect.separator, strict=True)
    many, line = AT_A_TIME, above + 1
    while many == AT_A_TIME:
        rows: list[Row] = []
        failure: CorpusError | None = None
        many = 0
        line = above + reader.line_num + 1
        with long_fields():
            try:
                for many, fields in enumerate(islice(reader, AT_A_TIME), 1):  # noqa: B007
                    if fields:
                        rows.append((line, fields))
                    line, taken = above + reader.line_num + 1, 0
            except csv.Error as error:
                failure = malformed(source.path, line, error)
            except CorpusError as error:
                failure = error
        yield from rows
        if failure:
            raise failure


def malformed(path: Path, line: int, error: csv.Error) -> CorpusError:
    if "new-line character" in str(error):
        what, hint = "a carriage return inside an unquoted field", "Save the file with one kind of line end."
    else:
        what, hint = str(error), BROKEN_QUOTE
    return CorpusError(f"{path.name}, row from line {line}: {what}", hint=hint)


@contextmanager
def long_fields() -> Iterator[None]:
    """Lifts the csv module's limit, which is one for the whole process, and puts it back."""
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
