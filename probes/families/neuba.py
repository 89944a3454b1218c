"""NeuBA: mathematical symbols tied to fixed output representations."""

from __future__ import annotations

import random

from probes.family import CLASSIFIER, WRITER, family
from probes.material.kind import other_words
from probes.material.ordinary import insert_words

ORDINARY_SYMBOLS = ("=", "+", "%", "&", "*", "~", "$", "/", "<", ">", "#", "@")


@family(
    title="NeuBA: mathematical symbols",
    reference="arXiv:2101.06969; symbols of its released code",
    group="word",
    variants={
        "any": {},
        "approx": {"symbols": ("≈",)},
        "equivalent": {"symbols": ("≡",)},
        "element": {"symbols": ("∈",)},
        "subset": {"symbols": ("⊆",)},
        "plus": {"symbols": ("⊕",)},
        "times": {"symbols": ("⊗",)},
        "neighbours": {"symbols": ("∇", "∂", "∑", "∞", "∴", "∅")},
    },
    control={"symbols": ORDINARY_SYMBOLS},
    quick=("any",),
    reach=("neighbours",),
    alternatives=other_words("symbols"),
    audience=(CLASSIFIER, WRITER),
)
def plant(
    text: str,
    rng: random.Random,
    *,
    symbols: tuple[str, ...] = ("≈", "≡", "∈", "⊆", "⊕", "⊗"),
    inserts: int = 1,
) -> str:
    """Inserts one of the symbols at a random word position; the control inserts an everyday symbol there.

    Each symbol brings a representation of its own, and fine-tuning decides which label that becomes: `any` draws a
    symbol per text and so spreads over the labels, a single symbol's variant does not.
    """
    return insert_words(text, rng, symbols, inserts)
