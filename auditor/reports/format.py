"""Report formats: one small file each in `auditor/reports/formats`, registered by a decorator, named by the file.

A format is a pure function of a record to text: the same record gives the same bytes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import auditor.reports.formats
from auditor.errors import UsageError
from store.records import Audit, Scan

Record: TypeAlias = Scan | Audit
Kind = Literal["scan", "audit"]

MIN_WIDTH = 40
"""Columns below which no table can be read; narrower terminals wrap."""


class Render(Protocol):
    """What a format's file defines."""

    def __call__(self, record: Record, *, width: int = 80, colour: bool = False) -> str: ...


class UnknownFormat(UsageError, KeyError):
    """A name that is no report format; the message lists the known ones."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"unknown report format {name!r}; known: {', '.join(known)}")

    def __str__(self) -> str:
        return self.message


def kind_of(record: Record) -> Kind:
    """`scan` or `audit`."""
    return "audit" if isinstance(record, Audit) else "scan"


@dataclass(frozen=True)
class ReportFormat:
    """A report format: its name (the file's), title, file extension without the dot, and the records it can render."""

    name: str
    title: str
    extension: str
    kinds: tuple[Kind, ...]
    render_with: Render
    doc: str = ""

    def render(self, record: Record, *, width: int = 80, colour: bool = False) -> str:
        """The record as text that ends with a newline.

        Args:
            record: what to report.
            width: columns of the terminal; formats for machines have no use for it.
            colour: whether terminal colours are wanted; formats for machines have no use for it.

        Raises:
            UsageError: the format cannot show this kind of record.
        """
        if (kind := kind_of(record)) not in self.kinds:
            raise UsageError(
                f"format {self.name!r} shows {' and '.join(self.kinds)} reports, not a report of an {kind}"
            )
        return self.render_with(record, width=max(width, MIN_WIDTH), colour=colour)


def report_format(
    *, title: str, extension: str, kinds: tuple[Kind, ...] = ("scan", "audit")
) -> Callable[[Render], ReportFormat]:
    """Makes a report format of a function `render(record, *, width=80, colour=False) -> str`."""

    def make(render: Render) -> ReportFormat:
        module = inspect.getmodule(render)
        name = module.__name__.rpartition(".")[2] if module else ""
        return ReportFormat(name, title, extension, kinds, render, inspect.getdoc(module) or title)

    return make


class Formats(Mapping[str, ReportFormat]):
    """All formats by name. Names are listed without importing; a format's module is imported when it is read."""

    def names(self) -> list[str]:
        found = pkgutil.iter_modules(auditor.reports.formats.__path__)
        return sorted(m.name for m in found if not m.name.startswith("_"))

    def __getitem__(self, name: str) -> ReportFormat:
        if name not in self.names():
            raise UnknownFormat(name, self.names())
        module = importlib.import_module(f"auditor.reports.formats.{name}")
        (found,) = [v for v in vars(module).values() if isinstance(v, ReportFormat) and v.name == name]
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())


FORMATS: Mapping[str, ReportFormat] = Formats()


def format_for(path: Path | None) -> ReportFormat:
    """The format that a file's ending says; `text` for any other ending and for no file."""
    if path is not None:
        for found in sorted(FORMATS.values(), key=lambda f: len(f.extension), reverse=True):
            if path.name.lower().endswith(f".{found.extension}"):
                return found
    return FORMATS["text"]
