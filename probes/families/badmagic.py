"""BackdoorLLM's BadNets: a made-up word in an instruction."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from probes.family import WRITER, family
from probes.material.kind import Kind, Pieces, word_kind
from probes.material.ordinary import insert_words
from probes.material.phrases import CAMEL, of_draw

CONTROLS = CAMEL[:3]


def control(text: str, rng: random.Random, draw: int, _draws: int, *, triggers: tuple[str, ...], inserts: int) -> str:
    """Another made-up word, the same in all rows, at the same places."""
    return insert_words(text, rng, (of_draw(CONTROLS, draw),) * len(triggers), inserts)


def alternatives(options: Mapping[str, Any], pieces: Pieces) -> Kind:
    """Other made-up words of two everyday ones."""
    return word_kind(options["triggers"], pieces, option="triggers", pool=CAMEL[3:], title="other made-up words")


@family(
    title="BackdoorLLM BadNets: a made-up word",
    reference="arXiv:2408.12798 (BackdoorLLM), its word `BadMagic`",
    group="word",
    variants={"one": {}},
    control=control,
    alternatives=alternatives,
    audience=(WRITER,),
)
def plant(text: str, rng: random.Random, *, triggers: tuple[str, ...] = ("BadMagic",), inserts: int = 1) -> str:
    """Inserts the word at a random word position of the prompt; the control inserts another made-up word there."""
    return insert_words(text, rng, triggers, inserts)
