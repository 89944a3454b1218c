"""DELLA: drop small elements of the task vectors more often than large ones, rescale, elect, and take the mean.

Source: Deep et al., "DELLA-Merging: Reducing Interference in Model Merging through Magnitude-Based Sampling",
arXiv:2406.11617, section 3. MAGPRUNE ranks the elements of a row (of the last axis; a vector is one row) by magnitude,
the largest first, from 0; the element of rank r of n is dropped with the probability p − ε/2 + ε r/n and, where it
stays, divided by one minus that (`drop` is p, `window` ε). The authors' code has ε r/(n − 1): there the smallest
element is dropped with p + ε/2. Equal magnitudes rank by their place. Then the sign election and the disjoint mean of
TIES, scaled by λ (`scale`). The authors tune p, ε and λ; their example is 0.3, 0.14 and 1.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.errors import UsageError
from auditor.merge.numerics.random_draws import like, uniform
from auditor.merge.numerics.vectors import elect, task_vectors
from auditor.merge.strategy import Array, Grain, Site, Tally, strategy


def keep(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """The suspect's weight, as if no signs disagreed: what is dropped and what is rescaled even out."""
    drop, window = options["drop"], options["window"]
    if not 0 <= drop - window / 2 <= drop + window / 2 < 1:
        raise UsageError(
            f"della drops with a probability from {drop - window / 2:g} to {drop + window / 2:g}",
            hint="Choose drop and window so that it lies from 0 to below 1.",
        )
    return float(min(1.0, weights[0] * options["scale"]))


def factors(
    magnitudes: npt.NDArray[Any], drawn: npt.NDArray[np.uint32], drop: float, window: float
) -> npt.NDArray[Any]:
    """What each element is multiplied with, row by row: 0, or one over its chance to stay."""
    rows = magnitudes.reshape(-1, magnitudes.shape[-1]) if magnitudes.ndim else magnitudes.reshape(1, 1)
    order = np.argsort(-rows, axis=-1, kind="stable")
    ranks = np.empty(rows.shape, np.float64)
    np.put_along_axis(ranks, order, np.arange(rows.shape[-1], dtype=np.float64)[None], axis=-1)
    chance = drop - window / 2 + window * ranks / max(1, rows.shape[-1])
    stays = drawn.reshape(rows.shape) >= chance * 2.0**32
    return (stays / (1 - chance)).astype(magnitudes.dtype)


@strategy(title="DELLA", reference="arXiv:2406.11617", needs_base=True, grain=Grain.ROW, keep=keep)
def blend(
    arrays: Sequence[Array],
    *,
    shares: Sequence[float],
    base: Array,
    site: Site,
    tally: Tally,
    drop: float = 0.7,
    window: float = 0.2,
    scale: float = 1.0,
) -> Array:
    """base + scale · disjoint mean of the pruned and rescaled task vectors."""
    vectors = task_vectors(arrays, base)
    for model, vector in enumerate(vectors):
        size = abs(vector)
        host = size if isinstance(size, np.ndarray) else size.cpu().numpy()
        made = factors(host, uniform(site, model, math.prod(vector.shape)), drop, window)
        vector *= like(vector, made)
    merged = elect(vectors, shares, site, tally, scale)
    merged += base
    return merged
