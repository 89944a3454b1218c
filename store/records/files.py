"""What was seen in a model's files before they were loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from store.records.findings import Severity

NUMBERS = "weights"
"""The rule on the weights' own numbers: what they do shows in what the model answers, which a scan judges."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One check of one file: what it was, how it ended, and where in the file what it found stands."""

    rule: str
    file: str
    outcome: Literal["passed", "found", "suspicious", "unreadable"]
    severity: Severity
    message: str
    place: str = ""
    hint: str = ""

    @property
    def told_by_answers(self) -> bool:
        """Whether a scan judges it by the model's answers: numbers that are none, or that are all the same."""
        return self.rule == NUMBERS


@dataclass(frozen=True, slots=True)
class FileReport:
    """All checks of a model's files. `files` maps each to its SHA-256, `digest` is that of all."""

    digest: str
    files: Mapping[str, str]
    checks: tuple[FileCheck, ...]

    @property
    def blocks(self) -> bool:
        """Whether the model is not to be loaded: something was found, or could not be read."""
        return any(check.outcome in ("found", "unreadable") for check in self.checks)
