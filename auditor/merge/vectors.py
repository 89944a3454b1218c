"""Arithmetic on task vectors (a model minus its base) that several strategies share.

Written with operators alone, so that NumPy arrays and torch tensors both do. Arrays are overwritten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.errors import UsageError
from auditor.merge.strategy import Array, Site, Tally


def task_vectors(arrays: Sequence[Array], base: Array) -> Sequence[Array]:
    """Every model's array minus the base's, in place."""
    for array in arrays:
        array -= base
    return arrays


def weighted_sum(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    """The sum of the arrays times their weights, in the first array. An array of weight 0 has no part."""
    total = None
    for array, weight in zip(arrays, weights, strict=True):
        if weight == 0:
            continue
        if weight != 1:
            array *= weight
        if total is None:
            total = array
        else:
            total += array
    if total is None:
        raise ValueError("no weight is above 0")
    return total


def mean(arrays: Sequence[Array], shares: Sequence[float]) -> Array:
    """The weighted mean: summed with whole-numbered shares where there are any, and divided once."""
    if all(share == shares[0] for share in shares):
        shares = (1.0,) * len(shares)
    total = weighted_sum(arrays, shares)
    whole = math.fsum(shares)
    if whole != 1:
        total /= whole
    return total


def elect(vectors: Sequence[Array], weights: Sequence[float], site: Site, tally: Tally | None, scale: float) -> Array:
    """Elect and disjoint mean of TIES (Yadav et al., arXiv:2306.01708, section 3): the scaled merged task vector.

    The sign with the greater weighted mass wins an element; the weighted mean runs over the vectors that have that
    sign and are not zero there. An element with mass 0 stays at the base. The suspect's coefficient is tallied.
    """
    mass = vectors[0] * weights[0]
    for vector, weight in zip(vectors[1:], weights[1:], strict=True):
        mass += vector * weight
    total = share = first = None
    for vector, weight in zip(vectors, weights, strict=True):
        agrees = ((vector > 0) & (mass > 0)) | ((vector < 0) & (mass < 0))
        vector *= agrees
        if first is None:
            first = agrees
        mine = agrees * weight
        if weight != 1:
            vector *= weight
        if total is None:
            total, share = vector, mine
        else:
            total += vector
            share += mine
    share += share == 0
    total /= share
    if scale != 1:
        total *= scale
    if tally is not None:
        coefficients = first / share
        tally.add(site, float(coefficients.sum()) * weights[0] * scale, math.prod(first.shape))
    return total


def share_of(name: str, options: Mapping[str, Any], *keys: str) -> None:
    """Refuses an option that is no share.

    Raises:
        UsageError: it lies outside 0 to 1.
    """
    for key in keys:
        if not 0 <= options[key] <= 1:
            raise UsageError(f"{name}.{key} lies from 0 to 1, not at {options[key]}")
