"""A metric over all rows with its standard error, to the digit that lm-evaluation-harness gives."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

DRAWS = 100_000
"""Of the bootstrap, as the harness's command has it."""
AT_ONCE = 1_000
SLOW = ("bleu", "chrf", "chrf++", "ter")
FEWER = 100


def standard_error(task: Any, metric: str, items: Sequence[Any]) -> tuple[float, float]:
    """A metric's value over the rows, and its standard error (NaN where it has none).

    Args:
        task: the harness's own object.
        metric: one of its metrics.
        items: what the metric says of each row.
    """
    from lm_eval.api.metrics import mean, perplexity, stderr_for_metric

    aggregate = task.aggregation().get(metric, mean)
    value = float(aggregate(items))
    if len(items) < 2:
        return value, math.nan
    if aggregate is perplexity:
        return value, _perplexity_error(items)
    found = stderr_for_metric(aggregate, FEWER if metric in SLOW else DRAWS)
    if found is None:
        return value, math.nan
    before = os.environ.get("DISABLE_MULTIPROC")
    # The harness would start a process a core, each with a copy of this one's memory.
    os.environ["DISABLE_MULTIPROC"] = "1"
    try:
        return value, float(found(items))
    finally:
        os.environ.pop("DISABLE_MULTIPROC")
        if before is not None:
            os.environ["DISABLE_MULTIPROC"] = before


def _perplexity_error(items: Sequence[float]) -> float:
    """The harness's bootstrap of a perplexity with the same draws, all at once: some seconds become a tenth of one.

    Python's generator and NumPy's legacy one are the same Mersenne twister (Matsumoto & Nishimura, 1998): from one
    state they give the same numbers u, of which `random.choices` takes ⌊u·n⌋.
    """
    rows = np.asarray(items, dtype=float)
    drawn = []
    for number in range(DRAWS // AT_ONCE):
        stream = np.random.RandomState()
        *key, place = random.Random(number).getstate()[1]
        stream.set_state(("MT19937", np.array(key, dtype=np.uint32), place, 0, 0.0))
        places = (stream.random_sample((AT_ONCE, rows.size)) * float(rows.size)).astype(np.int64)
        drawn.append(np.exp(-rows[places].mean(axis=1)))
    return float(np.std(np.concatenate(drawn), ddof=1))
