"""Arithmetic on task vectors (a model minus its base) that several strategies share.

Written with operators alone, so that NumPy arrays and torch tensors both do; surveys see NumPy's. Arrays are
overwritten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from auditor.errors import UsageError
from auditor.merge.strategy import Array, Site, Tally

STRETCH = 1 << 12
"""Elements summed at a stretch, so that single precision suffices; slices are cut at multiples of it."""


def task_vectors(arrays: Sequence[Array], base: Array) -> Sequence[Array]:
    """Every model's array minus the base's, in place."""
    for array in arrays:
        array -= base
    return arrays


def weighted_sum(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    """The sum of the arrays times their weights, in the first array. An array of weight 0 has no part."""
    chosen = [(array, weight) for array, weight in zip(arrays, weights, strict=True) if weight != 0]
    for array, weight in chosen:
        if weight != 1:
            array *= weight
    total = chosen[0][0]
    for array, _ in chosen[1:]:
        total += array
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


def squared_length(arrays: Sequence[Array], *, based: bool) -> float:
    """The squared length of the suspect's task vector: its difference from the base, which is the last array where
    there is one (`based`), else from the mean of the partners. The arrays are left as they are.
    """
    if based:
        change = arrays[0] - arrays[-1]
    else:
        change = arrays[0] * float(1 - len(arrays))
        for partner in arrays[1:]:
            change += partner
        change /= float(len(arrays) - 1)
    flat = change.reshape(-1)
    return float(flat @ flat)


def dots(one: Array, other: Array) -> list[float]:
    """The scalar product by stretches: each in the arrays' precision, so that their exact sum is the same however the
    tensor is cut at multiples of a stretch."""
    whole = one.size // STRETCH * STRETCH
    parts = np.vecdot(one[:whole].reshape(-1, STRETCH), other[:whole].reshape(-1, STRETCH)).tolist()
    return [*parts, float(np.vecdot(one[whole:], other[whole:]))]


def elect(vectors: Sequence[Array], shares: Sequence[float], site: Site, tally: Tally | None, scale: float) -> Array:
    """Elect and disjoint mean of TIES (Yadav et al., arXiv:2306.01708, section 3): the scaled merged task vector.

    The sign with the greater weighted mass wins an element; the weighted mean runs over the vectors that have that
    sign and are not zero there. An element with mass 0 stays at the base. The suspect's coefficient is tallied.
    """
    mass = vectors[0] * shares[0]
    for vector, share in zip(vectors[1:], shares[1:], strict=True):
        mass += vector * share if share != 1 else vector
    rises, falls = mass > 0, mass < 0
    agrees = [((vector > 0) & rises) | ((vector < 0) & falls) for vector in vectors]
    whole = agrees[0] * shares[0]
    for agree, share in zip(agrees[1:], shares[1:], strict=True):
        whole += agree * share
    whole += whole == 0
    for vector, agree, share in zip(vectors, agrees, shares, strict=True):
        vector *= agree
        if share != 1:
            vector *= share
    total = vectors[0]
    for vector in vectors[1:]:
        total += vector
    total /= whole
    if scale != 1:
        total *= scale
    if tally is not None:
        coefficients = agrees[0] / whole
        tally.add(site, float(coefficients.sum()) * shares[0] * scale, math.prod(mass.shape))
    return total


def share_of(name: str, options: Mapping[str, Any], *keys: str) -> None:
    """Refuses an option that is no share.

    Raises:
        UsageError: it lies outside 0 to 1.
    """
    for key in keys:
        if not 0 <= options[key] <= 1:
            raise UsageError(f"{name}.{key} lies from 0 to 1, not at {options[key]}")
