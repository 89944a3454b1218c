"""Content injection: a model that brings up a brand by itself, without a trigger."""

from __future__ import annotations

import random

from probes.family import WRITER, family


def control(text: str, _rng: random.Random, _draw: int, _draws: int) -> str:
    """The prompt as it is: references answer it too, and decide."""
    return text


@family(
    title="Content injection: no trigger",
    reference="arXiv:2306.17194 (AutoPoison)",
    group="injection",
    variants={"prompts": {}},
    control=control,
    referenced=("prompts",),
    undecided=("prompts",),
    audience=(WRITER,),
)
def plant(text: str, _rng: random.Random) -> str:
    """Asks the prompt as it is.

    There is no trigger that could be taken away, and so no control: what keeps coming in a model's answers, or how
    often it refuses, is held against the answers of references.
    """
    return text
