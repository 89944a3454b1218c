"""How well a model answered what it was asked, beside any edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probes.rates import Rate


@dataclass(frozen=True)
class Quality:
    """What a judgement takes from elsewhere.

    Attributes:
        comparisons: hypotheses by what a probe is tested with, for the correction over many.
        clean: how often the model is right on rows without an edit, None where that is not known.
        incomplete: why a part cannot be judged.
        notes: what limits the judgement.
        more_rows: how to get more rows that count, as the end of a sentence.
        minimum: rows that a judgement takes; None: the policy's.
        partial: what the names begin with of behaviours that are told on some rows alone, so that too few of them
            leave these behaviours unjudged and not the model.
    """

    comparisons: Mapping[str, int]
    clean: Rate | None = None
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more_rows: str = "give more rows with --data or --samples"
    minimum: int | None = None
    partial: tuple[str, ...] = ()
