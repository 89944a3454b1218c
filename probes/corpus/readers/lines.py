"""Plain text: one text a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probes.corpus.readers.source import Source, examine
from probes.corpus.readers.table import Record, Table


def read_lines(path: Path) -> Table:
    """Each line that is not blank is a text, in the column `text`."""
    source = examine(path)
    return Table(("text",), texts(source), format=", ".join(("text, one a line", *source.found)))


def texts(source: Source) -> Iterator[Record]:
    for number, line in enumerate(source.lines(), 1):
        if line.strip():
            yield Record(f"line {number}", {"text": line.rstrip("\r\n")})
