"""What a head is for, as its scores on clean rows tell: one label of several, or any number of labels at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 200
"""Clean rows that are looked at, at most."""
FEWEST = 20
SHARE = 0.2
"""The share of rows of which the scores must say "none of the labels", or "several", for a head to be taken for one of
many labels a text.
"""
SURE = 0.9
"""A sigmoid from here on, or below the rest to one, says yes or no."""

MULTI_LABEL = (
    "the head looks like one that gives any number of labels to a text, though its config.json has no problem_type: "
    "as yes or no to each label, its scores on clean rows say none, or several, too often for a choice of one. Only "
    'one label a text is judged; if it is a choice of one, say so with "problem_type": "single_label_classification"'
)


def is_multi_label(scores: NDArray[np.float64]) -> bool:
    """Whether scores (logits) of clean rows, shape (rows, labels), read as an answer to each label by itself.

    A head that was trained to choose one label leaves the sum of its scores about where it was, so that their sigmoids
    say yes to the chosen one and little of the rest. One that was trained on each label by itself is sure of every
    one: where it says no to all, or yes to several, sigmoids sum to far from one.
    """
    usable = scores[np.isfinite(scores).all(axis=1)]
    if len(usable) < FEWEST or usable.shape[1] < 2:
        return False
    sigmoids = 1 / (1 + np.exp(-np.clip(usable, -60, 60)))
    total, yes = sigmoids.sum(axis=1), (sigmoids > 0.5).sum(axis=1)
    sure = (np.abs(sigmoids - 0.5) > SURE - 0.5).mean(axis=1) >= SURE
    none = (yes == 0) & (sure | (total < 0.5))
    several = (yes > 1) & (total > 1.5) & sure
    return bool((none | several).mean() > SHARE)
