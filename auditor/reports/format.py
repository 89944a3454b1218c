"""Report formats: one small file each in `auditor/reports/formats`, registered by a decorator, named by the file.

A format is a pure function of a record to text: the same record gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from auditor.errors import UnknownName, UsageError
from probes.plugin import Registry, plugin_name
from store.records import Audit, Scan

Record: TypeAlias = Scan | Audit
Kind = Literal["scan", "audit"]

MIN_WIDTH = 40
"""Columns below which no table can be read; narrower terminals wrap."""


class Render(Protocol):
    """What a format's file defines."""

    def __call__(self, record: Record, *, width: int = 80, colour: bool = False) -> str: ...


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
        return ReportFormat(plugin_name(render), title, extension, kinds, render)

    return make


FORMATS: Mapping[str, ReportFormat] = Registry("auditor.reports.formats", ReportFormat, "report format", UnknownName)


def format_for(path: Path | None) -> ReportFormat:
    """The format that a file's ending says; `text` for any other ending and for no file."""
    if path is not None:
        for found in sorted(FORMATS.values(), key=lambda f: len(f.extension), reverse=True):
            if path.name.lower().endswith(f".{found.extension}"):
                return found
    return FORMATS["text"]
