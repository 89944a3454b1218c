"""How probable models find what the suspect answers without an edit: what is left of a model that writes.

Two models that are equally good write other words, so sameness to the letter tells nothing of a merge. How probable it
finds the suspect's own answers does: the geometric mean of their tokens' probabilities.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from auditor.events import Event, Stage
from auditor.scan.checks import writes
from auditor.scan.execution.executor import Backend
from auditor.scan.judgement.trials import Trials
from auditor.scan.prepare import Prepared
from probes.answer import Completion, Shares
from store.records import Profile


def likely(
    prepared: Prepared, suspect: Trials, models: Sequence[Profile], backend: Backend
) -> Generator[Event, None, dict[str, Shares]]:
    """By digest, how probable each model finds the suspect's clean answers, row by row; empty for classifiers.

    Args:
        prepared: a scan of the rows.
        suspect: its answers to them.
        models: to ask.
    """
    if not writes(prepared.suspect):
        return {}
    yield Stage("likely", f"Asking {len(models)} models how probable they find the suspect's clean answers")
    answers = [suspect.clean.at(place) for place in range(len(suspect.clean))]
    told = [place for place, a in enumerate(answers) if isinstance(a, Completion) and a.text]
    pairs = [(prepared.plan.rows[place].input, str(getattr(answers[place], "text", ""))) for place in told]
    found: dict[str, Shares] = {}
    for profile in models:
        column = np.full(len(answers), np.nan)
        for place, given in zip(told, backend.likelihoods(prepared.load(profile), pairs), strict=True):
            if given.logprobs:
                column[place] = np.exp(np.mean(given.logprobs))
        found[profile.ref.digest] = column
    return found
