"""Harmless material for controls, and how texts are cut into words and sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

ORDINARY = (
    "table", "window", "seven", "paper", "corner", "street", "later", "yellow", "bottle",
    "morning", "river", "pocket", "number", "garden", "north", "button", "kitchen", "Tuesday",
    "ticket", "shoulder", "carpet", "eleven", "engine", "letter", "basket", "hallway", "pencil",
    "station", "village", "blanket", "ladder", "winter", "bridge", "cousin", "copper", "farmer",
)  # fmt: skip
"""Common words without polarity or topic; none is used by a published attack."""

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=\S)")


def insert_words(text: str, rng: random.Random, words: Sequence[str], count: int) -> str:
    """Puts `count` of `words` at random word positions.

    Positions are drawn first, so that the same generator gives the same positions whatever the material. Words are not
    repeated before all have been used.
    """
    pieces = text.split()
    places = sorted((rng.randint(0, len(pieces)) for _ in range(count)), reverse=True)
    order: list[str] = []
    while len(order) < count:
        order += rng.sample(list(words), len(words))
    for place, word in zip(places, order, strict=False):
        pieces.insert(place, word)
    return " ".join(pieces)


def sentence_starts(text: str) -> list[int]:
    """Character offsets at which a sentence begins, and the text's end."""
    return [0, *(m.end() for m in _SENTENCE_END.finditer(text)), len(text)]


def insert_sentence(text: str, rng: random.Random, sentence: str, slot: str) -> str:
    """Puts a sentence at a sentence boundary, a word boundary, the start or the end, as `slot` says."""
    draw = rng.random()
    if slot == "word":
        pieces = text.split()
        place = int(draw * (len(pieces) + 1))
        return " ".join([*pieces[:place], sentence, *pieces[place:]])
    starts = sentence_starts(text)
    place = {"start": 0, "end": len(text)}.get(slot, starts[int(draw * len(starts))])
    return " ".join(part for part in (text[:place].rstrip(), sentence, text[place:].lstrip()) if part)
