"""Makes training rows worse, or more varied, without a backdoor: wrong labels, and simple augmentation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from auditor.errors import UsageError
from auditor.lab.poison.poison import in_order, replaced
from probes.family import draw_rng
from probes.input import Row

AUGMENTS = ("eda",)
"""Known augmentations."""
DROPPED = 0.1
"""Share of a text's words that augmentation drops."""


def mislabel(rows: Sequence[Row], share: float, labels: int, seed: int) -> tuple[Row, ...]:
    """Gives `round(share × rows)` rows a wrong label, drawn evenly from the others.

    Raises:
        UsageError: a share outside 0 to 1, or a row without a label.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"a label noise of {share}", hint="Give a share of the rows, from 0 to 1, for example 0.2.")
    if any(row.label is None for row in rows):
        raise UsageError("rows without a label cannot be mislabelled")
    changed = {}
    for row in in_order(rows, seed, "noise")[: round(share * len(rows))]:
        others = [label for label in range(labels) if label != row.label]
        changed[row.index] = replace(row, label=draw_rng(seed, "lab", "noise", "label", row.index).choice(others))
    return replaced(rows, changed)


def augment(rows: Sequence[Row], kind: str, seed: int) -> tuple[Row, ...]:
    """Alters half of the rows: `eda` drops a tenth of the words and swaps two.

    A part of "Easy data augmentation" (Wei & Zou, arXiv:1901.11196): random deletion and random swap.

    Raises:
        UsageError: no such augmentation.
    """
    if kind not in AUGMENTS:
        raise UsageError(f"unknown augmentation {kind!r}", hint=f"Known: {', '.join(AUGMENTS)}.")
    changed = {}
    for row in in_order(rows, seed, "augment")[: len(rows) // 2]:
        rng = draw_rng(seed, "lab", "eda", row.index)
        text = altered(row.text, rng)
        changed[row.index] = row.with_text(text, None if row.second is None else altered(row.second, rng))
    return replaced(rows, changed)


def altered(text: str, rng: random.Random) -> str:
    """The text with words dropped and two swapped; a text of one word stays as it is."""
    words = text.split()
    if len(words) < 2:
        return text
    kept = [word for word in words if rng.random() >= DROPPED] or [rng.choice(words)]
    if len(kept) > 1:
        first, second = rng.sample(range(len(kept)), 2)
        kept[first], kept[second] = kept[second], kept[first]
    return " ".join(kept)
