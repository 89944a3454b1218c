"""From exceptions to exit codes and messages: nothing a command raises reaches the user as a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from auditor.errors import AuditorError, ExitCode
from probes.errors import InputError


class Terminated(BaseException):
    """SIGTERM came: everything is closed in order, as with Ctrl-C."""


def guarded(body: Callable[[], int]) -> int:
    """Runs a command and gives back its exit code, whatever it raises.

    An uncaught exception is a bug of ours: exit code 70, the trace goes to a file that the message names.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return body()
    except (Exception, KeyboardInterrupt, Terminated) as error:
        code = code_of(error)
        if code == ExitCode.BROKEN_PIPE:
            # Python would complain again when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        elif code == ExitCode.BUG:
            _report_bug(error)
        else:
            message, hint = words_of(error)
            sys.stderr.write(f"auditor: {message}\n" + (f"  {hint}\n" if hint else ""))
        return int(code)


def code_of(error: BaseException) -> ExitCode:
    """The exit code of an exception."""
    match error:
        case AuditorError():
            return error.code
        case InputError():
            return ExitCode.USAGE
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case Terminated():
            return ExitCode.TERMINATED
        case BrokenPipeError():
            return ExitCode.BROKEN_PIPE
        case PermissionError() | MemoryError():
            return ExitCode.INCOMPLETE
        case OSError() if error.errno in FULL:
            return ExitCode.INCOMPLETE
        case _:
            return ExitCode.BUG


def words_of(error: BaseException) -> tuple[str, str]:
    """What is wrong and what to do, for an exception that is not a bug."""
    match error:
        case AuditorError() | InputError():
            return error.message, error.hint
        case KeyboardInterrupt():
            return "interrupted", STORED
        case Terminated():
            return "terminated", STORED
        case PermissionError():
            return f"no permission: {error.filename or error}", ""
        case MemoryError():
            return "out of memory", "give fewer --samples, or use a machine with more memory"
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return f"the disk is full{where}", "free some space, or name another place"
        case _:
            return str(error), ""


STORED = "what was finished is stored, and the same command goes on from there"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _report_bug(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    place = _write_trace(text)
    where = f"the trace is in {place}" if place else text
    sys.stderr.write(f"auditor: a bug of ours: {type(error).__name__}: {error}\n  {where}\n")


def _write_trace(text: str) -> Path | None:
    from auditor.settings import data_directory

    try:
        directory = data_directory() / "crashes"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{os.getpid()}.txt"
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
