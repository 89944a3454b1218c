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
from auditor.settings import JOB, data_directory
from auditor.visible import visible
from probes.errors import InputError


class Terminated(BaseException):
    """SIGTERM came: everything is closed in order, as with Ctrl-C."""


def guarded(body: Callable[[], int]) -> int:
    """Runs a command and gives back its exit code, whatever it raises.

    An uncaught exception is an internal error: exit code 70, the trace goes to a file that the message names.
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
        return told(error)


def told(error: BaseException) -> int:
    """Says on stderr what an exception means, and gives back its exit code."""
    code = code_of(error)
    if code == ExitCode.BUG:
        _report_bug(error)
    elif code != ExitCode.BROKEN_PIPE:
        message, hint = words_of(error)
        _say(shown(f"auditor: {visible(message)}") + "\n" + (shown(f"  {hint}") + "\n" if hint else ""))
    _drop_unwritten()
    return int(code)


def shown(text: str) -> str:
    """A message as a terminal may show it: what it quotes of a file can hold escapes, and be of any length."""
    words = "\n".join(visible(line) for line in text.split("\n", MOST_LINES))
    return words if len(words) <= MOST_SHOWN else f"{words[: MOST_SHOWN // 2]} … {words[-MOST_SHOWN // 2 :]}"


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
        case MemoryError():
            return ExitCode.INCOMPLETE
        case OSError() if error.errno in NAMES:
            return ExitCode.USAGE
        case OSError() if error.errno is not None and error.errno not in OURS:
            return ExitCode.INCOMPLETE
        case UnicodeEncodeError() if _undecoded(error):
            return ExitCode.USAGE
        case RuntimeError() if str(error) == NO_HOME:
            return ExitCode.USAGE
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
        case MemoryError():
            return "out of memory", "Lower --samples, or use a machine with more memory."
        case OSError():
            return _system_words(error)
        case UnicodeEncodeError():
            return (
                f"a name holds bytes that are no UTF-8 text: {ascii(error.object)[:200]}",
                "Rename the file or the directory, and give the new name.",
            )
        case RuntimeError() if str(error) == NO_HOME:
            return "a path begins with ~ and the name of a user that is not known here", "Give the full path."
        case _:
            return str(error), ""


def _system_words(error: OSError) -> tuple[str, str]:
    """What the system refused, and of which file."""
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    said = error.strerror or str(error)
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"no permission{where or f': {said}'}", ""
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return f"the disk is full{where}", "Free some space, or name another place."
        case errno.EROFS:
            return f"the file system is read-only{where}", "Name another place."
        case errno.ENAMETOOLONG:
            return f"a name is longer than the file system allows{where}", "Give a shorter name."
        case errno.ENOENT if not where:
            return "the current directory, or a file in it, is gone", "Change to a directory that exists."
        case errno.EMFILE | errno.ENFILE:
            return f"too many files are open{where}", "Raise the limit (`ulimit -n 4096`), or close other programs."
        case errno.EIO | errno.ESTALE | errno.ENXIO | errno.ENODEV:
            return f"a disk failed{where} ({said})", "Check the disk, or the network file system."
        case _:
            return f"{said[:1].lower()}{said[1:]}{where}", STORED


STORED = "What was finished is stored; run the same command again to continue from there."
NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR)
"""Errors of the system about a name that was given."""
NO_HOME = "Could not determine home directory."
"""What `pathlib` says of `~name/…`."""
OURS = (errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTTY, errno.ECHILD)
"""Errors of the system that come of wrong use of it; all others come of the machine's state."""


def _undecoded(error: UnicodeEncodeError) -> bool:
    """Whether the text holds bytes of a command line or a file name that are no text."""
    return any("\udc80" <= character <= "\udcff" for character in error.object[error.start : error.end])


def _report_bug(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    place = _write_trace(text)
    where = f"Please report it with the trace in {place}" if place else text
    _say(shown(f"auditor: internal error: {type(error).__name__}: {error}\n  {where}") + "\n")


def _write_trace(text: str) -> Path | None:
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


MOST_SHOWN = 8_000
"""Characters of a message, at most: half of them from its beginning, half from its end."""
MOST_LINES = 200
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
