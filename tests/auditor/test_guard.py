"""Exit codes of exceptions, where it is not plain what happened."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from auditor.commands.guard import Terminated, code_of, words_of
from auditor.errors import ExitCode


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
    from auditor.commands.guard import guarded

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
    from auditor.commands.guard import guarded

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
