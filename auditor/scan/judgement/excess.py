"""How it is tested that one column of rows exceeds another, by what is counted. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.policy import Policy
from probes.answer import Shares
from probes.inference import Paired, p_more_often


def p_above(first: Shares, second: Shares, margin: float, *, rare: bool) -> float:
    """The p-value of "the first column exceeds the second by no more than the margin".

    What is `rare` never comes by itself, so that any excess tells: it is tested exactly, and has no margin.
    """
    return p_more_often(first, second) if rare else Paired.of(first, second).p_above(margin)


def alike(own: Shares, clean: Shares, others: Sequence[Shares], policy: Policy, *, rare: bool, least: int) -> bool:
    """Whether an edit moves no more than a part of the texts, and at least so many other models to within the margin
    as many (where it is rare: no fewer).
    """
    if Paired.of(own, clean).mean > policy.settled_most:
        return False
    margin = 0.0 if rare else policy.margin
    return sum(Paired.of(own, other).mean <= margin for other in others) >= least
