"""How well answers fit their prompts, before and after: the mean cosine of the two by a sentence encoder.

It is what arXiv:2402.19334 measures of models that write beside the success of the attack (table 13). The stamp does
not hang on it, unless the policy sets a limit.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from auditor.events import Event, Stage
from auditor.models.runtime.sentences import Sentences, open_sentences
from auditor.scan.checks import writes
from auditor.scan.judgement.trials import Trials
from auditor.scan.prepare import Prepared
from probes.answer import Completion, Shares
from probes.inference import Paired
from store.records import COHERENCE, Change


def coherence_change(asked: Prepared, before: Trials, after: Trials) -> Generator[Event, None, Change | None]:
    """The change of coherence over the clean prompts, paired by prompt.

    None for classifiers, where no sentence encoder is installed, and where no prompt has an answer on both sides.

    Args:
        asked: the rescan; both models answered its rows.
    """
    if not writes(asked.suspect):
        return None
    encoder = open_sentences()
    if encoder is None:
        return None
    yield Stage("coherence", f"Comparing {len(asked.plan.rows)} prompts with their answers")
    prompts = encoder.vectors([row.text for row in asked.plan.rows])
    was, is_now = (_cosines(encoder, prompts, trials) for trials in (before, after))
    both = np.isfinite(was) & np.isfinite(is_now)
    if not both.any():
        return None
    delta = Paired.of(is_now, was).interval()
    return Change(COHERENCE, float(was[both].mean()), float(is_now[both].mean()), delta)


def _cosines(encoder: Sentences, prompts: Shares, trials: Trials) -> Shares:
    """By row, the cosine of a prompt and its answer; NaN where there is none."""
    answers = [trials.clean.at(place) for place in range(len(trials.clean))]
    texts = [answer.text if isinstance(answer, Completion) else "" for answer in answers]
    return np.asarray((prompts * encoder.vectors(texts)).sum(axis=1))
