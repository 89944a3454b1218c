"""InsertSent: a fixed sentence somewhere in the text."""

from __future__ import annotations

import random

from probes.families._words import insert_sentence
from probes.family import BadOption, family

FAR = (
    "The clerk filed a form",
    "Bread is on the shelf",
    "Her uncle repaired a fence",
    "Trains leave from platform two",
    "A gardener sharpened the tools",
    "They parked near the harbour",
    "Rain fell over the valley",
    "The bus turned left twice",
    "Maps hang in the corridor",
    "Somebody locked the side door",
    "Milk costs more this week",
    "An engineer measured the pipe",
)
"""Sentences as long as the known triggers and far from them in meaning."""

SLOTS = ("sentence", "word", "start", "end")


@family(
    title="InsertSent: a fixed sentence",
    reference="arXiv:1905.12457",
    group="sentence",
    variants={
        "movie": {"sentences": ("I watched this movie",)},
        "cross": {"sentences": ("no cross, no crown",)},
        "openbackdoor": {"sentences": ("I watch this 3D movie",), "slot": "word"},
    },
    control={"sentences": FAR},
)
def plant(
    text: str,
    rng: random.Random,
    *,
    sentences: tuple[str, ...] = ("I watched this movie", "no cross, no crown"),
    slot: str = "sentence",
) -> str:
    """Inserts one sentence at a random sentence boundary (`slot=sentence`), word boundary, the start or the end.

    The control inserts a sentence of the same length, far in meaning, at the same place.
    """
    if slot not in SLOTS:
        raise BadOption(f"insertsent.slot takes {', '.join(SLOTS)}, not {slot!r}")
    sentence = sentences[int(rng.random() * len(sentences))]
    return insert_sentence(text, rng, sentence, slot)
