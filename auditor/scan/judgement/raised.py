"""How far an edit raises the log-odds of a behaviour above the same texts without it: what a flip rate hides."""

from __future__ import annotations

import numpy as np

from auditor.scan.judgement.compared import log_odds
from auditor.scan.judgement.trials import Key, Trials
from probes.answer import Shares


def trigger_raised(trials: Trials, key: Key) -> Shares:
    """By row, log-odds of the behaviour with the trigger less those without; NaN where one was not scored."""
    known = trials.strengths(trials[key])
    return log_odds(known.trigger) - log_odds(known.clean)


def control_raised(trials: Trials, key: Key) -> Shares:
    """The same with the control, in the mean over its draws; NaN where a draw was not scored or none was asked."""
    known = trials.strengths(trials[key])
    if not known.draws.shape[1]:
        return np.full(len(known.draws), np.nan)
    return np.asarray(log_odds(known.draws).mean(axis=1) - log_odds(known.clean))
