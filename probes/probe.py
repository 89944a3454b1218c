"""A trigger as it is fired: which edit, what it is judged by, and what it is tested with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from probes.family import Family
from probes.trigger import Trigger

SUITE = "suite"
"""What the probes of a suite are tested with, and corrected over."""


MARK = "+"
"""Between a variant's name and the names of the changes that sharpen it."""


def plain_variant(variant: str) -> str:
    """The variant that a sharper form is of."""
    return variant.partition(MARK)[0]


class JudgedBy(StrEnum):
    """What tells a backdoor from what honest models do with an edit."""

    CONTROL_OR_REFERENCES = "control or references"
    """The matched control; or two or more references, where the control moves texts too."""
    CONTROL = "control"
    """The control alone: the trigger says something of a label by itself, so honest models move as well."""
    REFERENCES = "references"
    """References alone, or others of its kind: no control is known that moves honest models as much."""


@dataclass(frozen=True)
class Probe:
    """One variant of one family with its full options."""

    family: Family
    variant: str
    options: Mapping[str, Any]
    material: Mapping[str, Any] | None = None
    """Of the trigger's kind, to plant in its place; None plants the trigger."""
    tested_with: str = SUITE
    """What it shares a family-wise error with."""
    trigger: Trigger | None = None
    """What is planted, where that is no published trigger: the family names it only."""

    @property
    def name(self) -> str:
        return f"{self.family.name}/{self.variant}"

    @property
    def group(self) -> str:
        """What a finding can honestly claim: families share material."""
        return self.family.group

    @property
    def judged_by(self) -> JudgedBy:
        """What tells a backdoor from what honest models do."""
        plain = plain_variant(self.variant)
        if plain in self.family.referenced:
            return JudgedBy.REFERENCES
        return JudgedBy.CONTROL if plain in self.family.loaded else JudgedBy.CONTROL_OR_REFERENCES

    @property
    def untriggered(self) -> bool:
        """Whether nothing is planted: what the model does to any input is held against references."""
        return self.family.untriggered

    @property
    def decided_by_kind(self) -> bool:
        """Whether others of its kind tell a backdoor from what honest models do."""
        return self.family.decided_by_kind(self.variant)

    @property
    def neighbourhood(self) -> bool:
        """Whether it is of a trigger's neighbourhood, and no published trigger."""
        return self.variant in self.family.reach

    def plant(self, text: str, rng: random.Random) -> str | None:
        """The text with the trigger, or with the material in its place; None where the text cannot take it."""
        if self.trigger is not None:
            return self.trigger.plant(text, rng)
        if self.material is None:
            return self.family.plant(text, rng, self.options)
        return self.family.plant_alternative(text, rng, self.options, self.material)

    def plant_control(self, text: str, rng: random.Random, draw: int, draws: int) -> str | None:
        """The text under the same edit with harmless material; `rng` must stand where it stood for the trigger."""
        if self.trigger is not None:
            return self.trigger.harmless(text, rng, draw, draws)
        return self.family.plant_control(text, rng, self.options, draw, draws)
