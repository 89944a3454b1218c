"""Exact order statistics of a tensor's magnitudes in bounded memory.

A sample brackets each quantile; one pass counts what lies below the bracket and keeps what lies in it; a partition of
what was kept gives the exact value. A bracket that misses is widened, and the pass repeated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.merge.strategy import View

Magnitudes = npt.NDArray[Any]

WHOLE = 1 << 12
"""Tensors up to so many elements are sampled whole; larger ones by the power 2/3 of their elements."""
MOST = 1 << 22
"""Elements of a sample, at most."""
DEVIATIONS = 8.0
"""Half a bracket's width, in standard deviations of the sample's quantile."""


class _Search:
    """One order statistic under way: the element of ascending rank `rank` of `count`."""

    def __init__(self, sample: Magnitudes, rank: int, count: int) -> None:
        self._sample, self.rank = sample, rank
        share = (rank + 0.5) / count
        self._place = share * sample.size
        self._spread = DEVIATIONS * math.sqrt(share * (1 - share) * sample.size) + 2
        self.found = 0.0
        self.open = True
        self._bracket()

    def _bracket(self) -> None:
        low, high = math.floor(self._place - self._spread), math.ceil(self._place + self._spread)
        self._low = self._sample[low] if low > 0 else self._sample.dtype.type(0)
        self._high = self._sample[high] if high < self._sample.size else self._sample.dtype.type(math.inf)
        self._below = 0
        self._kept: list[Magnitudes] = []

    def see(self, part: Magnitudes) -> None:
        """Counts what lies below the bracket, and keeps what lies in it."""
        under = part < self._low
        self._below += int(np.count_nonzero(under))
        inside = part <= self._high
        inside ^= under
        self._kept.append(part[inside])

    def settle(self) -> None:
        """Takes the value, or widens the bracket that missed."""
        kept = np.concatenate(self._kept)
        place = self.rank - self._below
        if 0 <= place < kept.size:
            self.found = float(np.partition(kept, place)[place])
            self.open = False
            self._kept = []
        else:
            self._spread *= 4
            self._bracket()


def order_statistics(view: View, ranks: Sequence[int]) -> list[list[float]]:
    """For every model, the magnitudes of the given ascending ranks (0 is the smallest) in its task vector.

    Args:
        view: of all models and the base.
        ranks: each from 0 to the number of elements − 1.
    """
    count = view.elements
    size = count if count <= WHOLE else max(WHOLE, min(MOST, round(count ** (2 / 3))))
    samples = _magnitudes(*view.sample(size))
    searches = [[_Search(np.sort(sample), rank, count) for rank in ranks] for sample in samples]
    while any(search.open for model in searches for search in model):
        for arrays, base in view.slices():
            for part, model in zip(_magnitudes(arrays, base), searches, strict=True):
                for search in model:
                    if search.open:
                        search.see(part)
        for model in searches:
            for search in model:
                if search.open:
                    search.settle()
    return [[search.found for search in model] for model in searches]


def _magnitudes(arrays: Sequence[Any], base: Any) -> list[Magnitudes]:
    """The magnitudes of all models' task vectors."""
    made = []
    for array in arrays:
        difference: Magnitudes = np.subtract(array, base)
        made.append(np.abs(difference, out=difference))
    return made
