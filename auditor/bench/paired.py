"""What changed between two models' benchmarks, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from probes.inference import Paired, p_more_often
from probes.rates import CONFIDENCE, Difference
from store.records import BenchmarkChange, BenchmarkRun, BenchmarkScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from store.benchmarks import Benchmarks

PERPLEXITY = "perplexity"


def changes(
    before: Sequence[BenchmarkScore], after: Sequence[BenchmarkScore], store: Benchmarks
) -> tuple[BenchmarkChange, ...]:
    """The change of every metric that both models have, as the first one orders them."""
    found = []
    runs: dict[str, BenchmarkRun | None] = {}
    for was in before:
        now = next((s for s in after if (s.task, s.metric) == (was.task, was.metric)), None)
        if now is None:
            continue
        for key in (was.run, now.run):
            runs.setdefault(key, store.find(key) if key else None)
        found.append(_change(was, now, runs[was.run], runs[now.run]))
    return tuple(found)


def _change(
    was: BenchmarkScore, now: BenchmarkScore, first: BenchmarkRun | None, second: BenchmarkRun | None
) -> BenchmarkChange:
    relative = was.metric.partition(",")[0] == PERPLEXITY
    # What was asked in another way is another test, also on the same rows.
    pairs = _pairs(was.metric, first, second) if was.asked == now.asked else None
    delta, p_value = _measured(*pairs, relative=relative, bounded=was.value <= 1) if pairs is not None else (None, None)
    return BenchmarkChange(
        was.task, was.metric, was.value, now.value, now.rows, delta, p_value, relative, was.higher_is_better, was.main
    )


def _pairs(
    metric: str, first: BenchmarkRun | None, second: BenchmarkRun | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """What the metric says of each row of the two models; None where the rows are not the same, or no numbers."""
    if first is None or second is None or not (first.whole and second.whole):
        return None
    one, two = first.rows, second.rows
    if [row.digest for row in one] != [row.digest for row in two]:
        return None
    try:
        columns = [
            np.array([row.values.get(metric, math.nan) for row in rows], dtype=np.float64) for rows in (one, two)
        ]
    except (TypeError, ValueError):
        return None
    return (columns[1], columns[0]) if columns[0].shape == columns[1].shape and len(one) > 1 else None


def _measured(
    after: NDArray[np.float64], before: NDArray[np.float64], *, relative: bool, bounded: bool
) -> tuple[Difference | None, float | None]:
    """The paired difference with its interval, and its two-sided p-value."""
    if relative:
        return _rise(after, before)
    if after.ndim != 1:
        return None, None
    known = np.isfinite(after) & np.isfinite(before)
    after, before = after[known], before[known]
    if set(np.unique(np.concatenate([after, before])).tolist()) <= {0.0, 1.0}:
        p_value = min(1.0, 2 * min(p_more_often(after, before), p_more_often(before, after)))
        return Paired.of(after, before).interval(), p_value
    if bounded and np.abs(after - before).max(initial=0.0) <= 1:
        paired = Paired.of(after, before)
        return paired.interval(), min(1.0, 2 * min(paired.p_above(0.0), 1 - paired.p_above(0.0)))
    return _student(after - before, np.ones(len(after)))


def _rise(after: NDArray[np.float64], before: NDArray[np.float64]) -> tuple[Difference | None, float | None]:
    """By how much of itself a perplexity rose: on the scale of its logarithm, which is a mean over rows or tokens."""
    if after.ndim == 1:
        # The harness stores each row's log-likelihood.
        mean, p_value = _student(before - after, np.ones(len(after)))
    elif np.array_equal(after[:, 1], before[:, 1]):
        mean, p_value = _student(after[:, 0] - before[:, 0], after[:, 1])
    else:
        return None, None
    if mean is None:
        return None, None
    low, value, high = (math.expm1(min(x, 700.0)) for x in (mean.low, mean.value, mean.high))
    return Difference(value, low, high), p_value


def _student(differences: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[Difference | None, float | None]:
    """A weighted mean of differences, Σd ÷ Σw, with Student's t over the rows (for ratios: Cochran, "Sampling
    Techniques", 1977, 6.4).
    """
    from scipy import stats

    known = np.isfinite(differences)
    d, w = differences[known], weights[known]
    if known.sum() < 2 or not known.all():
        # A row without a number can be any loss: nothing is known of the mean.
        return None, None
    mean = float(d.sum() / w.sum())
    error = float(np.std(d - mean * w, ddof=1)) * math.sqrt(len(d)) / float(w.sum())
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(d) - 1)) * error
    p_value = float(2 * stats.t.sf(abs(mean) / error, len(d) - 1)) if error > 0 else float(mean == 0)
    return Difference(mean, mean - half, mean + half), p_value
