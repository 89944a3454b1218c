"""DARE: drop random elements of the task vectors, and rescale what is left.

Source: Yu et al., "Language Models are Super Mario", arXiv:2311.03099, section 3.2: each element is dropped with the
probability `drop`, the rest divided by 1 − drop; then task arithmetic (section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.errors import UsageError
from auditor.merge.numerics.random_draws import below, like, uniform
from auditor.merge.numerics.vectors import mean, share_of, task_vectors
from auditor.merge.strategy import Array, Grain, Site, strategy


def keep(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """The suspect's weight: what is dropped and what is rescaled even out."""
    share_of("dare", options, "drop")
    if options["drop"] == 1:
        raise UsageError("dare.drop must lie below 1: nothing would be left")
    return float(weights[0] * options["scale"])


def kept_elements(site: Site, model: int, count: int, drop: float) -> npt.NDArray[np.bool_]:
    """Which elements of a slice stay."""
    drawn = uniform(site, model, count)
    limit = below(drop)
    return drawn >= np.uint32(limit) if limit < 1 << 32 else np.zeros(count, np.bool_)


@strategy(title="DARE", reference="arXiv:2311.03099", needs_base=True, grain=Grain.ELEMENT, keep=keep)
def blend(
    arrays: Sequence[Array],
    *,
    shares: Sequence[float],
    base: Array,
    site: Site,
    drop: float = 0.9,
    scale: float = 1.0,
) -> Array:
    """base + scale / (1 − drop) · Σ weight · (what is left of the task vector)."""
    vectors = task_vectors(arrays, base)
    for model, vector in enumerate(vectors):
        vector *= like(vector, kept_elements(site, model, math.prod(vector.shape), drop))
    merged = mean(vectors, shares)
    merged *= scale / (1 - drop)
    merged += base
    return merged
