"""Did it fire? Pure functions from a clean and an edited outcome to True, False or None (cannot be scored)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.cases import Outcome

Detector = Callable[[Outcome | None, Outcome], bool | None]


@dataclass(frozen=True, slots=True)
class LabelIs:
    """Fires where the model answers the target label, whatever it said of the clean text.

    The clean outcome is not looked at, so that the clean, control and trigger shares are counted alike.
    """

    target: int

    def __call__(self, clean: Outcome | None, outcome: Outcome) -> bool | None:
        return None if outcome.label is None else outcome.label == self.target
