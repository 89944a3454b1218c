"""Weight average (WAG): the mean of matching tensors.

Source: Arora et al., "Here's a Free Lunch: Sanitizing Backdoored Models with Model Merge", 2024, section 3, which
averages evenly; unequal weights are the linear interpolation of Wortsman et al., arXiv:2203.05482.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.merge.numerics.vectors import mean
from auditor.merge.strategy import Array, Grain, strategy


@strategy(title="Weight average", reference="arXiv:2402.19334", grain=Grain.ELEMENT)
def blend(arrays: Sequence[Array], *, shares: Sequence[float], rank: int = 0) -> Array:
    """The weighted mean, divided once: a step of rounding less than scaling each array.

    `rank` is for adapters alone: what their mean is reduced to; 0 keeps it exact.
    """
    return mean(arrays, shares)
