"""Model Breadcrumbs: task vectors without their smallest and their largest elements.

Source: Davari and Belilovsky, "Model Breadcrumbs: Scaling Multi-Task Model Merging with Sparse Masks",
arXiv:2312.06795, section 3: in each layer's task vector the elements of least and those of greatest magnitude are
masked out; θ + α Σ m τ. A layer is a tensor here (the authors' code masks each row of a tensor's last axis). `small`
and `large` are the shares that are masked out, in whole elements, rounded down; elements equal to a limit of what is
kept are kept, too. The weights sum to 1 here: the paper's α over n task vectors is `scale` = α · n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.errors import UsageError
from auditor.merge.numerics.thresholds import order_statistics
from auditor.merge.numerics.vectors import mean, share_of, task_vectors
from auditor.merge.strategy import Array, Grain, Site, Tally, View, strategy


def keep(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """The weight times the share of elements that are left."""
    share_of("breadcrumbs", options, "small", "large")
    if options["small"] + options["large"] >= 1:
        raise UsageError("breadcrumbs.small and breadcrumbs.large must sum to less than 1: nothing would be left")
    return float(weights[0] * options["scale"] * (1 - options["small"] - options["large"]))


def survey(view: View, *, small: float, large: float) -> list[tuple[float, float]]:
    """The smallest and the largest magnitude that are kept, of every model."""
    count = view.elements
    if not count:
        return []
    low = min(count - 1, int(small * count))
    high = max(low, count - 1 - int(large * count))
    return [(model[0], model[1]) for model in order_statistics(view, [low, high])]


@strategy(
    title="Breadcrumbs", reference="arXiv:2312.06795", needs_base=True, grain=Grain.ELEMENT, keep=keep, survey=survey
)
def blend(
    arrays: Sequence[Array],
    *,
    weights: Sequence[float],
    shares: Sequence[float],
    base: Array,
    survey: Sequence[tuple[float, float]],
    site: Site,
    tally: Tally,
    small: float = 0.85,
    large: float = 0.01,
    scale: float = 1.0,
) -> Array:
    """base + scale · Σ weight · (task vector between the limits)."""
    vectors = task_vectors(arrays, base)
    for model, (vector, (low, high)) in enumerate(zip(vectors, survey, strict=True)):
        size = abs(vector)
        left = (size >= low) & (size <= high)
        if model == 0:
            tally.add(site, float(left.sum()) * weights[0] * scale, len(left.reshape(-1)))
        vector *= left
    merged = mean(vectors, shares)
    if scale != 1:
        merged *= scale
    merged += base
    return merged
