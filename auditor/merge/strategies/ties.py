"""TIES: trim, elect sign, disjoint mean.

Source: Yadav et al., "TIES-Merging: Resolving Interference When Merging Models", arXiv:2306.01708, section 3. Of each
tensor of each task vector the `density` share of elements with the greatest magnitude is kept (rounded down, at least
one); elements equal to the smallest that is kept are kept too, as in the authors' code. `scale` is the paper's λ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.merge.numerics.thresholds import order_statistics
from auditor.merge.numerics.vectors import elect, share_of, task_vectors
from auditor.merge.strategy import Array, Grain, Site, Tally, View, strategy


def keep(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """An estimate before the values are known: the share that is kept, as if no signs disagreed."""
    share_of("ties", options, "density")
    return float(min(1.0, weights[0] * options["scale"] * options["density"]))


def survey(view: View, *, density: float) -> list[float]:
    """The smallest magnitude that is kept, of every model."""
    count = view.elements
    if not count:
        return []
    rank = count - max(1, int(density * count))
    return [model[0] for model in order_statistics(view, [rank])]


@strategy(title="TIES", reference="arXiv:2306.01708", needs_base=True, grain=Grain.ELEMENT, keep=keep, survey=survey)
def blend(
    arrays: Sequence[Array],
    *,
    shares: Sequence[float],
    base: Array,
    survey: Sequence[float],
    site: Site,
    tally: Tally,
    density: float = 0.2,
    scale: float = 1.0,
) -> Array:
    """base + scale · disjoint mean of the trimmed task vectors."""
    vectors = task_vectors(arrays, base)
    for vector, threshold in zip(vectors, survey, strict=True):
        vector *= abs(vector) >= threshold
    merged = elect(vectors, shares, site, tally, scale)
    merged += base
    return merged
