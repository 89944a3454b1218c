"""Rows under edits, as they are put to a model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probes.input import Input


class Role(StrEnum):
    """Why a text is put to the model."""

    CLEAN = "clean"
    """The row as it is."""
    TRIGGER = "trigger"
    """The row with the family's edit and the trigger's material."""
    CONTROL = "control"
    """The row with the same edit and harmless material."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row under one edit.

    `family` and `variant` are empty for the clean case; `draw` numbers the control's draws from 0.
    """

    row: int
    input: Input
    role: Role
    family: str = ""
    variant: str = ""
    draw: int = 0
