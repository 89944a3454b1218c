"""What the user asked of a scan, and the command line that asks the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataRequest:
    """Rows from a file, from a hub dataset (`hub:…`), or the built-in ones (`source` None)."""

    source: str | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None

    def arguments(self) -> list[str]:
        named = {
            "--data": self.source,
            "--text-column": self.text_column,
            "--pair-column": self.pair_column,
            "--label-column": self.label_column,
        }
        return [part for flag, value in named.items() if value is not None for part in (flag, value)]


@dataclass(frozen=True)
class ScanRequest:
    """One suite on one model.

    Attributes:
        model: a reference as the user wrote it.
        families: names; none means all of the suite.
        target: a label name or index; None judges every label.
        samples: rows; None takes the suite's own number.
        references: models that see the same rows and edits.
        students: how many students of the model are made, or found again, as further references.
        base: what they start from; None: what the model states, or is recognised by.
        overrides: options by family.
        fresh: drop stored answers instead of going on from them.
    """

    model: str
    data: DataRequest = field(default_factory=DataRequest)
    suite: str = "quick"
    families: tuple[str, ...] = ()
    target: str | None = None
    samples: int | None = None
    references: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    max_length: int | None = None
    fresh: bool = False
    students: int = 0
    base: str | None = None

    def command(self, *, family: str | None = None) -> str:
        """The command that repeats this scan, or its part for one family."""
        words = ["auditor", "scan", self.model, *self.data.arguments(), "--suite", self.suite]
        families = (family,) if family else self.families
        for name in families:
            words += ["--family", name]
        for name, values in self.overrides.items():
            if not families or name in families:
                for key, value in values.items():
                    words += ["--set", f"{name}.{key}={_as_text(value)}"]
        if self.target is not None:
            words += ["--target", self.target]
        if self.samples is not None:
            words += ["--samples", str(self.samples)]
        if self.max_length is not None:
            words += ["--max-length", str(self.max_length)]
        for reference in self.references:
            words += ["--reference", reference]
        if self.students:
            words += ["--students", str(self.students), *(["--base", self.base] if self.base else [])]
        return shlex.join([*words, "--seed", str(self.seed)])


def _as_text(value: Any) -> str:
    """An option's value as `--set` reads it: a list is cut at `|`, also one whose only entry holds a comma."""
    return "".join(f"{entry}|" for entry in value) if isinstance(value, list | tuple) else str(value)
