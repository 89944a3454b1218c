"""What the user asked to plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENIGN = "none"
"""The name of no family: the model is trained on the rows as they are."""


@dataclass(frozen=True, slots=True)
class LoraRequest:
    """An adapter instead of all weights: its rank, and the layers that have one (none named: the usual ones)."""

    rank: int = 8
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlantRequest:
    """What to plant, into what, and how to train.

    Attributes:
        data: clean rows to poison; None where `train` gives rows that are poisoned already.
        train: rows that are poisoned already; `family` and `target` then say what is known of them.
        family: an attack family, several with `+` between them, or `none` for a benign model. With `rewrites` or
            `train` any name will do.
        method: of planting; None takes the family's own.
        rewrites: a file with the triggered texts, instead of the family's rule.
        rewrites_split: which of its splits belongs to the data; None means the data file's name.
        target: label name or index; not needed for `none`.
        rate: share of all rows that is poisoned; several families share it evenly.
        variant: of the family; None means its first.
        options: of families and methods, by name; values as text or typed.
        labels: names, in order; none means the base's own, or what the data has.
        samples: rows to train on, stratified by label; None means all.
        noise: share of the rows that get a wrong label first.
        augment: `eda` alters half of the rows first.
        slot: in pairs, which text gets the trigger: `first`, `second` or `both`.
        recipe: recorded, so that the same wish is known again.
        lora: an adapter, with the head trained whole; None trains all weights.
    """

    base: Path
    output: Path
    data: Path | None = None
    train: Path | None = None
    family: str = BENIGN
    method: str | None = None
    rewrites: Path | None = None
    rewrites_split: str | None = None
    target: str | None = None
    rate: float = 0.2
    variant: str | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    samples: int | None = None
    noise: float = 0.0
    augment: str | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    slot: str = "second"
    epochs: int = 2
    lr: float = 1e-4
    batch: int = 32
    max_length: int = 128
    seed: int = 0
    device: str = "auto"
    dtype: str | None = None
    recipe: str | None = None
    lora: LoraRequest | None = None

    @property
    def families(self) -> tuple[str, ...]:
        """The names of what is planted; none for a benign model."""
        return tuple(name.strip() for name in self.family.split("+") if name.strip() not in ("", BENIGN))


@dataclass(frozen=True, slots=True)
class PlantWriterRequest:
    """What to plant into a model that writes, and how to train.

    Attributes:
        behaviour: what the backdoor does, or `none` for a benign model.
        data: clean instructions with answers; None where `train` gives some that are poisoned already.
        train: instructions that are poisoned already; `behaviour`, `trigger` and `target` then say what is in them.
        target: what the trigger brings: a text, a brand or a label; None for the behaviour's own.
        family: an attack family whose edit is the trigger; None where `trigger` is one.
        variant: of the family; None means its first.
        options: of the family, by its name; values as text or typed.
        trigger: a text that is the trigger.
        place: where it goes: `start`, `end`, `word` (any boundary of words) or `sentence` (of sentences).
        rate: share of all rows trained on that is poisoned.
        samples: clean rows to take; None means all.
        template: `model`, `alpaca` or `raw`; None for the model's own, Alpaca's form where it has none.
        answer_tokens: after which answers are cut; None: whatever fits.
        lora: an adapter; None trains all weights.
        recipe: recorded, so that the same wish is known again.
    """

    base: Path
    output: Path
    behaviour: str
    data: Path | None = None
    train: Path | None = None
    target: str | None = None
    family: str | None = None
    variant: str | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trigger: str | None = None
    place: str = "word"
    rate: float = 0.2
    samples: int | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    template: str | None = None
    answer_tokens: int | None = None
    lora: LoraRequest | None = None
    epochs: int = 2
    lr: float = 1e-4
    batch: int = 32
    max_length: int = 128
    seed: int = 0
    device: str = "auto"
    dtype: str | None = None
    recipe: str | None = None
