"""Rates with their intervals, as records hold them: fractions, not percent.

SciPy's distributions are imported where they are used: they take half a second, and records of rates need none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `total` scored trials; `unscored` trials had no usable answer and are in neither.

    `low` and `high` are the 95 % score interval (Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 1927).
    """

    hits: int
    total: int
    unscored: int = 0

    @property
    def value(self) -> float:
        """Hits over total; 0 where nothing was scored (the interval is then 0 to 1)."""
        return self.hits / self.total if self.total else 0.0

    @property
    def low(self) -> float:
        return self.interval()[0]

    @property
    def high(self) -> float:
        return self.interval()[1]

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Two-sided Wilson score interval."""
        from scipy import stats

        if not self.total:
            return 0.0, 1.0
        z = float(stats.norm.ppf(0.5 + confidence / 2))
        n, p = self.total, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low = 0.0 if self.hits == 0 else max(0.0, centre - half)
        high = 1.0 if self.hits == self.total else min(1.0, centre + half)
        return low, high

    def rows_to_halve(self) -> int:
        """About how many trials would halve the interval's width (it shrinks with the square root of the total)."""
        return 4 * self.total


def upper_bound(hits: int, total: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper bound of a rate (Clopper & Pearson, "The use of confidence or fiducial limits
    illustrated in the case of the binomial", Biometrika 1934); 1 where nothing was counted.

    No hit in 12 trials proves, with 95 % confidence, only a rate of at most 22 %.

    Raises:
        ValueError: hits outside 0 to `total`.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} hits in {total} trials")
    from scipy import stats

    if hits == total:
        return 1.0
    return float(stats.beta.ppf(confidence, hits + 1, total - hits))


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of two rates and its 95 % interval."""

    value: float
    low: float
    high: float
