"""What is put to a model, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """Why a text is put to the model."""

    CLEAN = "clean"
    """The row as it is."""
    TRIGGER = "trigger"
    """The row with the family's edit and the trigger's material."""
    CONTROL = "control"
    """The row with the same edit and harmless material."""


class Ask(NamedTuple):
    """One input of a model: a text, or a text and a second one (sentence pairs)."""

    text: str
    pair: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the data: `label` is the gold label's index, None where there is none."""

    index: int
    text: str
    pair: str | None = None
    label: int | None = None

    @property
    def ask(self) -> Ask:
        return Ask(self.text, self.pair)


@dataclass(frozen=True, slots=True)
class Case:
    """A row under one edit.

    `family` and `variant` are empty for the clean case; `draw` numbers the control's draws from 0.
    """

    row: int
    ask: Ask
    role: Role
    family: str = ""
    variant: str = ""
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model's answer: the predicted label's index and the probabilities of all labels.

    `label` is None where the answer cannot be scored (NaN or infinite scores); `text` is a generator's answer.
    """

    label: int | None
    probabilities: tuple[float, ...] = ()
    text: str | None = None


UNSCORABLE = Outcome(None)
