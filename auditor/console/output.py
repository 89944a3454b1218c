"""Where reports go: rendered to stdout, or whole or not at all into a file."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import DiskError, UsageError

if TYPE_CHECKING:
    from auditor.console.run import Common
    from store.records import Audit, Scan


def emit(text: str, output: Path | None) -> None:
    """Writes a report to stdout, or whole or not at all to a file. A device or a pipe is written as it is.

    Raises:
        DiskError: the file cannot be written.
        BrokenPipeError: stdout is closed.
    """
    if output is None:
        if sys.stdout is None:
            raise BrokenPipeError("standard output is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target = output.resolve()
    partial = target if target.exists() and not target.is_file() else target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        if partial != target:
            partial.replace(target)
    except OSError as error:
        if partial != target:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        raise DiskError(f"cannot write {output}: {error.strerror}", hint="Name another place with -o.") from error


def render(record: Scan | Audit, name: str | None, output: Path | None, common: Common) -> None:
    """Renders a record in the named format (default: text, or what the file's ending says)."""
    from auditor.reports.format import FORMATS, format_for

    chosen = FORMATS[name] if name else format_for(output)
    terminal = output is None and sys.stdout.isatty()
    colour = terminal and not common.plain and not os.environ.get("NO_COLOR")
    emit(chosen.render(record, width=_width(terminal), colour=colour), output)


def _width(terminal: bool) -> int:
    if not terminal:
        return 80
    import shutil

    return max(40, min(shutil.get_terminal_size().columns, 160))


def check_format(name: str | None, output: Path | None) -> None:
    """Looks before anything runs whether the report can be rendered and has a place.

    Raises:
        UsageError: no such format, or the output names a directory or lies in none.
    """
    if name is not None:
        from auditor.reports.format import FORMATS

        FORMATS[name]
    check_output(output)


def check_output(output: Path | None) -> None:
    """Raises:
    UsageError: the output names a directory, or lies in none.
    """
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"the output {output} is a directory", hint="Name a file with -o.")
    if not output.parent.is_dir():
        raise UsageError(f"there is no directory {output.parent} to write {output.name} into")
