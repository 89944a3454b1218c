"""What a judgement is asked: a plan's rows with their reference labels, for some targets of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.scan.judgement.trials import Labels
from auditor.scan.plan import Plan
from probes.rates import Rate
from probes.suite import Probe

MINIMUM_REFERENCES = 2
"""References needed to settle a score whose control is a trigger too: one alone may carry the same backdoor."""


@dataclass(frozen=True)
class Question:
    """What is judged: a plan's rows with their reference labels (−1: none), for some targets of a model.

    `gold` are gold labels where there are any (−1: none); `reproduce` gives the command that repeats a probe.
    """

    plan: Plan
    labels: tuple[str, ...]
    targets: tuple[int, ...]
    reference_labels: Labels
    gold: Labels
    reproduce: Callable[[Probe], str]
    too_long: frozenset[int] = frozenset()
    """Places among the plan's asks of those that the model does not take whole: they are unscored for that alone."""

    @property
    def comparisons(self) -> int:
        return self.plan.suite.comparisons * len(self.labels)


def rate_of(hit: NDArray[np.float64]) -> Rate:
    """Hits among the scored rows (NaN: not scored)."""
    unscored = int(np.isnan(hit).sum())
    return Rate(int(np.nansum(hit)), hit.size - unscored, unscored)
