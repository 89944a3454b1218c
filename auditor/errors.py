"""Exit codes, and the errors that users can do something about.

Each error says what is wrong and what to do, and carries the exit code that a script sees.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    """Ran to the end; nothing found, no policy threshold broken."""
    FOUND = 1
    """A finding or something suspicious, or a policy threshold broken; for `audit`, any stamp but `sanitised`."""
    USAGE = 2
    """Bad option, unknown name, a path that does not exist or holds no model, unreadable data of the user's."""
    INCOMPLETE = 3
    """Damaged files, could not be loaded, fetched or judged, the disk is full. Never reported as 0."""
    BUG = 70
    """An internal error: any uncaught exception."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Standard output was closed."""
    TERMINATED = 143
    """SIGTERM."""


class AuditorError(Exception):
    """An error with a message for the user: what is wrong, and what to do about it."""

    code = ExitCode.INCOMPLETE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AuditorError):
    """The command was used wrongly: a bad option, an unknown name, a path that holds no model, malformed data."""

    code = ExitCode.USAGE


class UnknownName(UsageError, KeyError):
    """A name of no plug-in: no merge strategy, report format or planting method; the message lists the known ones."""

    def __str__(self) -> str:
        return self.message


class ModelError(AuditorError):
    """A model's files are damaged, refused, or could not be loaded."""


class FetchError(AuditorError):
    """The hub could not be reached, or refused."""


class DiskError(AuditorError):
    """The disk is full, or a file could not be written."""


class IncompatibleError(UsageError):
    """Models that cannot be merged; the message names model, file, tensor or label."""


class CatalogError(AuditorError):
    """The catalog is damaged, newer than the program, or locked."""
