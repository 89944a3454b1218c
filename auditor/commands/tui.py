"""`auditor` alone: opens the terminal application. Only here is `screens` imported, inside the functions."""

from __future__ import annotations

import sys
from pathlib import Path

from auditor.errors import ExitCode, UsageError


def is_terminal() -> bool:
    """Whether there is a terminal to draw on (Textual draws on standard error) and to read keys from."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def open_application(catalog: str | None) -> int:
    """Runs the application until the user quits; gives back the exit code."""
    from screens.app import AuditorApp

    app = AuditorApp(catalog)
    app.run()
    # Textual ends with 1 after an exception, which it has shown; that means "finding" here.
    return ExitCode.BUG if app.return_code else ExitCode.OK


def take_screenshots(directory: Path) -> int:
    """Writes an SVG of every screen, drawn from a seeded catalog.

    Raises:
        UsageError: the directory cannot be made.
    """
    from screens.gallery.screenshot import take

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write into {directory}: {error.strerror}") from error
    for path in take(directory):
        sys.stdout.write(f"{path}\n")
    return 0
