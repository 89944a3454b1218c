"""Exit codes of exceptions, where it is not plain what happened."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from auditor.cli import main
from auditor.console.guard import Terminated, code_of, words_of
from auditor.errors import ExitCode

NUMBERS = {
    errno.ENAMETOOLONG: (ExitCode.USAGE, "longer than the file system allows"),
    errno.ELOOP: (ExitCode.USAGE, "symbolic links"),
    errno.ENOTDIR: (ExitCode.USAGE, "not a directory"),
    errno.EACCES: (ExitCode.INCOMPLETE, "no permission"),
    errno.EIO: (ExitCode.INCOMPLETE, "disk failed"),
    errno.ESTALE: (ExitCode.INCOMPLETE, "network file system"),
    errno.EROFS: (ExitCode.INCOMPLETE, "read-only"),
    errno.ENOSPC: (ExitCode.INCOMPLETE, "full"),
    errno.EMFILE: (ExitCode.INCOMPLETE, "too many files"),
    errno.ENOENT: (ExitCode.INCOMPLETE, "no such file"),
    errno.EBADF: (ExitCode.BUG, ""),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_what_the_system_refuses_is_no_bug_of_ours(number: int) -> None:
    code, words = NUMBERS[number]
    error = OSError(number, os.strerror(number), "/models/suspect")
    assert code_of(error) is code
    said = " ".join(words_of(error))
    assert words in said
    assert "/models/suspect" in said


def test_a_directory_that_is_gone_is_told_without_its_name() -> None:
    error = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    assert code_of(error) is ExitCode.INCOMPLETE
    assert "current directory" in words_of(error)[0]


def test_an_error_without_a_number_of_the_system_stays_a_bug() -> None:
    assert code_of(OSError("a library's own words")) is ExitCode.BUG
    assert code_of(UnicodeEncodeError("utf-8", "a\ud83d", 1, 2, "surrogates not allowed")) is ExitCode.BUG


LONG = "a" * 300


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["models", "list", "--catalog", "sqlite://host/x.db"], 2, "names a host"),
        (["models", "list", "--catalog", "sqlite:///x.db?timeout=soon"], 2, "has options"),
        (["models", "list", "--catalog", f"/tmp/{LONG}.db"], 2, "longer than the file system allows"),
        (["models", "add", f"./{LONG}"], 2, "longer than the file system allows"),
        (["report", "abcd", "-o", f"{LONG}.json"], 2, "longer than the file system allows"),
        (["merge", "--verify", LONG], 2, "longer than the file system allows"),
        (["models", "add", "~nobody-here/model"], 2, "not known here"),
        (["report", "\udcff\udcfe"], 2, "no UTF-8 text"),
        (["models", "list", "\udcff"], 2, "no UTF-8 text"),
    ],
    ids=lambda part: " ".join(part)[:40].encode("ascii", "replace").decode() if isinstance(part, list) else "",
)
def test_odd_words_are_told_and_are_no_bug(
    words: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("AUDITOR_CATALOG", raising=False)
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(words)
    signal.signal(signal.SIGTERM, before)
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "internal error" not in told
    assert ended.value.code == code


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["scan", "--nope"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_help_text_on_a_full_disk_is_no_finding(words: list[str]) -> None:
    """An uncaught exception ends with 1, which means "finding"."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "auditor", *words], stdout=full, stderr=full, check=False)
    assert done.returncode == ExitCode.INCOMPLETE


def run(command: str) -> subprocess.CompletedProcess[str]:
    """A Python process of its own."""
    words = [sys.executable, "-c", textwrap.dedent(command)]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("struck", "code"), [(KeyboardInterrupt, ExitCode.INTERRUPTED), (Terminated, ExitCode.TERMINATED)]
)
def test_an_error_that_an_interrupt_led_to_is_an_interrupt(struck: type[BaseException], code: ExitCode) -> None:
    """As where it strikes while a library is imported, or in its clean-up."""
    error = ImportError("the library is broken")
    error.__cause__ = SystemError("initialization failed")
    error.__cause__.__context__ = struck()
    assert code_of(error) is code
    assert "stored" in words_of(error)[1]


def test_a_bug_stays_a_bug() -> None:
    assert code_of(ImportError("the library is broken")) is ExitCode.BUG


@pytest.mark.parametrize(("name", "code"), [("SIGINT", ExitCode.INTERRUPTED), ("SIGTERM", ExitCode.TERMINATED)])
def test_an_interrupt_that_python_drops_comes_again(name: str, code: ExitCode) -> None:
    """One that strikes in a clean-up is lost to the command that it was meant for, which would run on."""
    command = f"""
    import os, signal, sys, time
    from auditor.console.guard import guarded

    class Cleaned:
        def __del__(self):
            os.kill(os.getpid(), signal.{name})
            time.sleep(60)

    def body():
        Cleaned()
        print("goes on", flush=True)
        time.sleep(60)
        return 0

    sys.exit(guarded(body))
    """
    done = run(command)
    assert done.stdout == "goes on\n"
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_what_else_python_drops_is_still_told() -> None:
    command = """
    import sys
    from auditor.console.guard import guarded

    class Cleaned:
        def __del__(self):
            raise ValueError("the clean-up failed")

    def body():
        Cleaned()
        return 0

    sys.exit(guarded(body))
    """
    done = run(command)
    assert done.returncode == 0
    assert "the clean-up failed" in done.stderr
