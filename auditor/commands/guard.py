"""From exceptions to exit codes and messages: nothing a command raises reaches the user as a traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from auditor.errors import AuditorError, ExitCode
from probes.errors import InputError

JOB = "AUDITOR_JOB"
"""Set in the environment of a command that was started as a job."""


class Terminated(BaseException):
    """SIGTERM came: everything is closed in order, as with Ctrl-C."""


def guarded(body: Callable[[], int]) -> int:
    """Runs a command and gives back its exit code, whatever it raises.

    An uncaught exception is a bug of ours: exit code 70, the trace goes to a file that the message names.
    """
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable
    if os.environ.get(JOB):
        # A process that ignores Ctrl-C hands that down, and then a job could not be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding shows what it lacks as escapes, where Python would raise.
            with contextlib.suppress(OSError):
                stream.reconfigure(errors="backslashreplace")
    try:
        return body()
    except (Exception, KeyboardInterrupt, Terminated, SystemExit) as error:
        code = code_of(error)
        if code == ExitCode.BUG:
            _report_bug(error)
        elif code != ExitCode.BROKEN_PIPE:
            message, hint = words_of(error)
            _say(f"auditor: {message}\n" + (f"  {hint}\n" if hint else ""))
        _drop_unwritten()
        return int(code)


def _say(text: str) -> None:
    """Writes to stderr, where there is one that takes it."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def _drop_unwritten() -> None:
    """Sends to nowhere what a broken or full stream did not take; Python would fail on it again at exit, with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def behind(error: BaseException) -> BaseException:
    """The interrupt that an exception came of, where one did; else the exception itself.

    An interrupt that strikes in the middle of an import, or in a library's own clean-up, comes out as another error.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, KeyboardInterrupt | Terminated):
            return found
        found = found.__cause__ or found.__context__
    return error


def code_of(error: BaseException) -> ExitCode:
    """The exit code of an exception."""
    match error := behind(error):
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
        case SystemExit() if isinstance(error.__context__, BrokenPipeError):
            # The display ends the process by itself where stderr is closed.
            return ExitCode.BROKEN_PIPE
        case PermissionError() | MemoryError():
            return ExitCode.INCOMPLETE
        case OSError() if error.errno in FULL:
            return ExitCode.INCOMPLETE
        case _:
            return ExitCode.BUG


def words_of(error: BaseException) -> tuple[str, str]:
    """What is wrong and what to do, for an exception that is not a bug."""
    match error := behind(error):
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
            what = "the disk is full" if error.errno != errno.EROFS else "the file system is read-only"
            return f"{what}{where}", "free some space, or name another place"
        case _:
            return str(error), ""


STORED = "what was finished is stored, and the same command goes on from there"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def _report_bug(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    place = _write_trace(text)
    where = f"the trace is in {place}" if place else text
    _say(f"auditor: a bug of ours: {type(error).__name__}: {error}\n  {where}\n")


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


AGAIN_AFTER = 0.05
"""Seconds."""


def _unraisable(dropped: sys.UnraisableHookArgs) -> None:
    """Takes an exception that Python drops, since nobody could catch it; an interrupt among them comes again.

    Where it strikes in what the interpreter does in between (`__del__`, the callback of a weak reference), the command
    would go on as if nobody had pressed Ctrl-C.
    """
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)
        return
    again = _terminate if issubclass(dropped.exc_type, Terminated) else signal.default_int_handler
    signal.signal(signal.SIGALRM, again)
    # At once it would strike in here, and be dropped again.
    signal.setitimer(signal.ITIMER_REAL, AGAIN_AFTER)
