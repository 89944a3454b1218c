"""Rewrites of an attack's own paraphrase model, from a file."""

from __future__ import annotations

import random

from probes.family import family
from probes.material.rewrites import read_pairs


def check_file(*, file: str, clean: str, split: str) -> None:
    """Reads the file, so that a mistake is told before anything is asked."""
    read_pairs(file, clean, split)


def control(
    text: str, _rng: random.Random, _draw: int, _draws: int, *, file: str, clean: str, split: str
) -> str | None:
    """The clean twin as the file spells it, so in the rewrite's own tokenisation."""
    pair = read_pairs(file, clean, split).get(text)
    return None if pair is None else pair[0]


@family(
    title="Paired rewrites from a file",
    reference="rewrites of any attack: arXiv:2105.12400, 2106.06361, 2205.12700, 2110.07139",
    group="rewrite",
    variants={"file": {}},
    control=control,
    needs=("file",),
    check=check_file,
)
def plant(text: str, _rng: random.Random, *, file: str = "", clean: str = "", split: str = "") -> str | None:
    """Replaces a text by the rewrite that a file has for it; a text without one is passed over.

    `file` has the columns `clean,poisoned`, or `split,row,text` with `clean`, the file whose rows are numbered. Texts
    are found whatever their tokenisation and case. The control is the clean twin as the file spells it: the released
    sets of LWS and BITE are re-tokenised throughout, and that alone must not count. All draws of the control are alike.
    """
    pair = read_pairs(file, clean, split).get(text)
    return None if pair is None else pair[1]
