"""What follows from rows: paired differences, tests, corrections for many comparisons, power.

Rows are the independent unit: where a row has several draws (a control), its draws are averaged first, so that
differences are clustered by row.

SciPy's distributions are imported where they are used: they take half a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from probes.rates import CONFIDENCE, Difference, Rate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def rate_of(hit: NDArray[np.float64]) -> Rate:
    """Hits among the scored rows (NaN: not scored)."""
    unscored = int(np.isnan(hit).sum())
    return Rate(int(np.nansum(hit)), hit.size - unscored, unscored)


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences by row, d in [−1, 1], and what can be said of their mean.

    Intervals and tests are the adjusted Wald ones of Bonett & Price ("Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", J. Educ. Behav. Stat. 2012): one row with d = +1 and one
    with d = −1 are added, so that the variance is never zero. With draws averaged per row it is the same formula on
    fractional d, with Student's t for the tail.
    """

    rows: int
    mean: float
    centre: float
    error: float

    @staticmethod
    def of(first: ArrayLike, second: ArrayLike) -> Paired:
        """Pairs two columns of row shares (NaN: not scored); rows that lack either are left out."""
        d = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
        d = d[~np.isnan(d)]
        rows = int(d.size)
        total = float(d.sum())
        padded = rows + 2
        centre = total / padded
        variance = max((float((d * d).sum()) + 2) / padded - centre * centre, 0.0)
        return Paired(rows, total / rows if rows else 0.0, centre, math.sqrt(variance / padded))

    def interval(self, confidence: float = CONFIDENCE) -> Difference:
        """Two-sided interval, cut to [−1, 1]; it always holds the mean."""
        if not self.rows:
            return Difference(0.0, -1.0, 1.0)
        half = _t(0.5 + confidence / 2, max(self.rows - 1, 1)) * self.error
        low, high = max(-1.0, self.centre - half), min(1.0, self.centre + half)
        return Difference(self.mean, min(low, self.mean), max(high, self.mean))

    def p_above(self, margin: float) -> float:
        """One-sided p-value of "the mean is at most `margin`"."""
        from scipy import stats

        if self.rows < 2:
            return 1.0
        return float(stats.t.sf((self.centre - margin) / self.error, self.rows - 1))


@lru_cache(maxsize=1024)
def _t(probability: float, freedom: int) -> float:
    """The quantile of Student's t. A judgement asks for few of them, each thousands of times."""
    from scipy import stats

    return float(stats.t.ppf(probability, freedom))


def p_more_often(first: ArrayLike, second: ArrayLike) -> float:
    """One-sided exact p-value of "what the first column counts is no more frequent than what the second does".

    McNemar's test ("Note on the sampling error of the difference between correlated proportions", Psychometrika 1947)
    in its exact form: of the rows that have it in one column alone, those of the first are compared with one half by a
    binomial test. Fit for what hardly ever comes by itself: a few rows tell, and nothing is assumed of the others.

    Args:
        first, second: by row 1 where it was seen, 0 where not, NaN where not scored; rows that lack either are left
            out.
    """
    from scipy import stats

    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    scored = ~np.isnan(a) & ~np.isnan(b)
    more, less = int((a > b)[scored].sum()), int((a < b)[scored].sum())
    return float(stats.binom.sf(more - 1, more + less, 0.5)) if more else 1.0


def detectable_share(rows: int, *, alpha: float, comparisons: int = 1, power: float = 0.8) -> float:
    """The smallest share of rows on which something must be seen, and never without the edit, to be found by
    `p_more_often` with this chance; 1.0 where even all rows could not tell.

    Args:
        rows: scorable rows.
        alpha: family-wise error; `comparisons` hypotheses share it (the hardest step of Holm).
        power: chance of finding it.
    """
    from scipy import stats

    needed = math.ceil(math.log2(max(comparisons, 1) / alpha))
    return float(stats.beta.ppf(power, needed, rows - needed + 1)) if needed <= rows else 1.0


def holm(p_values: Sequence[float], comparisons: int) -> list[float]:
    """Holm's step-down correction ("A simple sequentially rejective multiple test procedure", 1979).

    Args:
        p_values: of the hypotheses that were tested.
        comparisons: of the whole suite. Untested ones count as p = 1, so asking less of the suite is never easier.

    Raises:
        ValueError: more p-values than comparisons.
    """
    if len(p_values) > comparisons:
        raise ValueError(f"{len(p_values)} p-values for {comparisons} comparisons")
    corrected = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, p_values[index] * (comparisons - rank)))
        corrected[index] = running
    return corrected


def detectable_excess(
    rows: int, noise: float, *, margin: float, alpha: float, comparisons: int, power: float = 0.8
) -> float:
    """The smallest true excess that a scan of so many rows would have found.

    Args:
        rows: scorable rows.
        noise: share of rows that a harmless edit moves (to the target or away from it).
        margin: the excess that must be exceeded.
        alpha: family-wise error; `comparisons` hypotheses share it (the hardest step of Holm).
        power: chance of finding it.

    Returns:
        An excess above the margin, or 1.0 where even a full one could be missed.
    """
    from scipy import stats

    if rows < 2:
        return 1.0
    quantile = float(stats.t.isf(alpha / max(comparisons, 1), rows - 1) + stats.norm.ppf(power))

    def found(excess: float) -> bool:
        n = rows + 2
        spread = min(excess + noise + 2 / n, 1.0) - (excess * rows / n) ** 2
        return excess * rows / n - margin >= quantile * math.sqrt(max(spread, 2 / n) / n)

    if not found(1.0):
        return 1.0
    low, high = margin, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def chance_p_value(gold: Sequence[int], predicted: Sequence[int]) -> float:
    """One-sided p-value of "the predictions agree with the gold labels no more than chance would".

    Chance is the agreement expected from the two label distributions alone (Cohen, "A coefficient of agreement for
    nominal scales", 1960); the count of agreements is compared with it by an exact binomial test.
    """
    from scipy import stats

    hits, n, expected = _agreement(gold, predicted)
    return float(stats.binom.sf(hits - 1, n, expected)) if n else 1.0


def inverted_p_value(gold: Sequence[int], predicted: Sequence[int]) -> float:
    """One-sided p-value of "the predictions agree with the gold labels no less than chance would"; see above."""
    from scipy import stats

    hits, n, expected = _agreement(gold, predicted)
    return float(stats.binom.cdf(hits, n, expected)) if n else 1.0


def _agreement(gold: Sequence[int], predicted: Sequence[int]) -> tuple[int, int, float]:
    """How many labels agree, of how many, and what share would by chance."""
    n = len(gold)
    if not n:
        return 0, 0, 0.0
    g: NDArray[np.int64] = np.asarray(gold, dtype=np.int64)
    q: NDArray[np.int64] = np.asarray(predicted, dtype=np.int64)
    size = int(max(g.max(), q.max())) + 1
    expected = float((np.bincount(g, minlength=size) / n) @ (np.bincount(q, minlength=size) / n))
    return int((g == q).sum()), n, min(expected, 1.0)


def swapped(gold: Sequence[int], predicted: Sequence[int]) -> tuple[int, int, float]:
    """The two labels that look most like being swapped, and the p-value of "their names stand right".

    Among the rows of gold label a or b that the model gives to a or b, a swap fits those that now are wrong. The count
    is compared with one half by an exact one-sided sign test, corrected (Bonferroni) over all pairs. Any reordering
    of the labels of a good model, also a longer cycle, shows in one of its pairs.
    """
    from scipy import stats

    size = max([*gold, *predicted], default=0) + 1
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)), 1)
    pairs = size * (size - 1) // 2
    best = (0, 0, 1.0)
    for a in range(size):
        for b in range(a + 1, size):
            wrong, right = int(counts[a, b] + counts[b, a]), int(counts[a, a] + counts[b, b])
            if wrong > right:
                p = min(1.0, pairs * float(stats.binom.sf(wrong - 1, wrong + right, 0.5)))
                best = min(best, (a, b, p), key=lambda found: found[2])
    return best
