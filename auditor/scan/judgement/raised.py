"""How far an edit raises the log-odds of a label above the same texts without it: what a flip rate hides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditor.scan.execution.local import UNSCORED
from auditor.scan.judgement.compared import log_odds
from auditor.scan.judgement.trials import Responses

Shares = NDArray[np.float64]


def trigger_raised(answers: Responses, probe: str, target: int) -> Shares:
    """By row, log-odds of the target with the trigger less those of the clean text; NaN where one was not scored."""
    edited = answers.probes[probe]
    found = _log_odds(answers, edited.trigger_asks, target) - _clean(answers, edited.planted.size, target)
    return np.where(edited.planted & (edited.trigger != UNSCORED), found, np.nan)


def control_raised(answers: Responses, probe: str, target: int) -> Shares:
    """The same with the control, in the mean over its draws; NaN where a draw was not scored or none was asked."""
    edited = answers.probes[probe]
    if not edited.control.shape[1]:
        return np.full(edited.planted.size, np.nan)
    found = _log_odds(answers, edited.control_asks, target).mean(axis=1) - _clean(answers, edited.planted.size, target)
    return np.where(edited.planted & (edited.control != UNSCORED).all(axis=1), found, np.nan)


def _clean(answers: Responses, rows: int, target: int) -> Shares:
    found = _log_odds(answers, answers.clean_asks[:rows], target)
    return np.where(answers.clean[:rows] != UNSCORED, found, np.nan)


def _log_odds(answers: Responses, asks: NDArray[np.int64], target: int) -> Shares:
    return log_odds(answers.probabilities[asks, target])
