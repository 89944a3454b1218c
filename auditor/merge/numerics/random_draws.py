"""Random draws that depend on the recipe's seed and an element's place alone, so that any slice can be made again."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.merge.strategy import Array, Site

BLOCK = 1 << 16
"""Elements a generator; part of what a seed means."""


def uniform(site: Site, model: int, count: int) -> npt.NDArray[np.uint32]:
    """Whole numbers from 0 to 2³² − 1, one an element of the slice.

    SFC64, seeded for every block of 65,536 elements with SHA-256 over seed, tensor, model and block.

    Args:
        site: where the slice begins.
        model: counts suspect and partners.
        count: elements.
    """
    drawn = np.empty(count, np.uint32)
    at = 0
    while at < count:
        block, within = divmod(site.start + at, BLOCK)
        take = min(BLOCK - within, count - at)
        text = f"{site.seed}\0{site.tensor}\0{model}\0{block}".encode()
        words = np.frombuffer(hashlib.sha256(text).digest(), np.uint32)
        generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(words.tolist())))
        numbers = generator.integers(0, 1 << 32, size=within + take, dtype=np.uint32)
        drawn[at : at + take] = numbers[within:]
        at += take
    return drawn


def below(probability: float) -> int:
    """The number that a draw lies under with this probability."""
    return min(1 << 32, round(probability * (1 << 32)))


def like(array: Array, made: npt.NDArray[Any]) -> Array:
    """A NumPy array where, and as what, another array is: itself, or a torch tensor on the same device."""
    shaped = made.reshape(tuple(array.shape))
    if isinstance(array, np.ndarray):
        return shaped
    return array.new_tensor(shaped)
