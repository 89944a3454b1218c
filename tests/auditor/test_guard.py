"""Exit codes of exceptions, where it is not plain what happened."""

from __future__ import annotations

import pytest

from auditor.commands.guard import Terminated, code_of, words_of
from auditor.errors import ExitCode


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
