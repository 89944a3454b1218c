"""What candidates of a recipe search are asked of models that write: how probable they find the suspect's own answers.

To write answers with every candidate would take minutes each. How probable one finds what the suspect answers, without
an edit and with a trigger, takes one reading: the geometric mean of the probabilities of an answer's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.search.attacks import Shot
from auditor.search.evaluation import Evaluation, Scored
from auditor.search.merged_model import Mixer
from probes.answer import Answers, Completion, Likelihood
from probes.input import Generate, Input

TRIGGERED_ROWS = 24
"""Prompts a finding that each trial reads with the trigger."""

Pairs = tuple[tuple[Input, str], ...]


@dataclass(frozen=True)
class TextEvaluation:
    """Prompts with the suspect's answers to them, and each finding's triggered prompts with the answers to these.

    `beside` holds the same answers behind the prompts without the trigger: what a trigger adds is told by both.
    """

    clean: Pairs
    triggered: tuple[Pairs, ...]
    beside: tuple[Pairs, ...]

    def score(self, mixer: Mixer) -> Scored:
        """How probable the merged model finds the answers: shares of 1, in the place of rates."""

        def told(pairs: Pairs) -> float:
            return float(np.mean([_share(found) for found in mixer.likelihoods(pairs)])) if pairs else 0.0

        rates = tuple(told(pairs) for pairs in self.triggered)
        without = tuple(told(pairs) for pairs in self.beside)
        return Scored(told(self.clean), rates, tuple(a - b for a, b in zip(rates, without, strict=True)))


def text_evaluation(asked: Evaluation, mixer: Mixer, shots: Sequence[Shot], how: Generate) -> TextEvaluation:
    """The prompts of an evaluation with the suspect's answers; triggered ones only where the behaviour shows.

    Args:
        asked: laid out over the rows.
        mixer: which is left as the suspect.
        shots: the variants that were fired, each with what it brings about.
        how: answers are written.
    """
    mixer.mix(mixer.only(0))
    clean = _pairs(asked.clean, asked.reference)
    triggered, beside = [], []
    for part, (_, behaviour) in zip(asked.triggered, shots, strict=True):
        answers = mixer.generate(part.inputs, how)
        shown = np.flatnonzero(behaviour.fired(answers) == 1).tolist()
        found = _pairs([part.inputs[i] for i in shown], answers.take(np.asarray(shown, dtype=np.int64)))
        triggered.append(found)
        beside.append(tuple((asked.clean[part.places[i]], text) for i, (_, text) in zip(shown, found, strict=False)))
    return TextEvaluation(clean, tuple(triggered), tuple(beside))


def _pairs(inputs: Sequence[Input], answers: Answers) -> Pairs:
    told = ((item, answers.at(place)) for place, item in enumerate(inputs))
    return tuple((item, found.text) for item, found in told if isinstance(found, Completion) and found.text)


def _share(found: Likelihood) -> float:
    return float(np.exp(np.mean(found.logprobs))) if found.logprobs else 0.0
