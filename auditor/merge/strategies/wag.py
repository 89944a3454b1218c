"""Weight average (WAG): the mean of matching tensors.

Source: Arora et al., "Here's a Free Lunch: Sanitizing Backdoored Models with Model Merge", 2024, section 3, which
averages evenly; unequal weights are the linear interpolation of Wortsman et al., arXiv:2203.05482.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.merge.strategy import Array, strategy


@strategy(title="Weight average", reference="arXiv:2402.19334", elementwise=True)
def blend(arrays: Sequence[Array], *, weights: Sequence[float]) -> Array:
    """The weighted mean. Even weights are summed and divided once: a step of rounding less than scaling each array."""
    even = all(weight == weights[0] for weight in weights)
    total = arrays[0]
    if not even:
        total *= weights[0]
    for array, weight in zip(arrays[1:], weights[1:], strict=True):
        if not even:
            array *= weight
        total += array
    if even:
        total /= len(arrays)
    return total
