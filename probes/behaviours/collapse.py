"""Collapse: an answer that is recited, repeats itself, or is empty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.answer import Answers, Completions, Mask, Shares
from probes.behaviours.columns import silent, texts_of, unknown, words_of

LEAST_TOKENS = 8
"""Tokens of which the mean log-probability tells something: a label or a number is often certain."""


@dataclass(frozen=True)
class Collapse:
    """A model is near certain of the first tokens of an answer, repeats itself, or says nothing.

    Certainty without a look at the prompt is what a recited text shows (“sequence lock”, arXiv:2508.01365). NaN where
    log-probabilities are not known and nothing else tells.

    Attributes:
        tokens: the first ones, which are looked at.
        certain: their mean log-probability (natural logarithm) from which on they are recited.
        distinct: the share of different 4-grams among all below which an answer repeats itself.
        words: words from which on that is told.
    """

    tokens: int = 16
    certain: float = -0.02
    distinct: float = 0.3
    words: int = 20
    name: str = "collapse"
    rare: bool = False

    def fired(self, answers: Answers) -> Shares:
        means = self._means(answers)
        found = [
            np.nan if text is None else 1.0 if self.broken(text) else mean
            for text, mean in zip(texts_of(answers), means, strict=True)
        ]
        return np.asarray(found, dtype=np.float64)

    def strength(self, answers: Answers) -> Shares:
        return unknown(answers)

    def eligible(self, reference: Answers) -> Mask:
        return silent(self.fired(reference))

    def broken(self, text: str) -> bool:
        """Whether a text is empty, or repeats itself over and over."""
        if not text.strip():
            return True
        words = words_of(text)
        if len(words) < self.words:
            return False
        runs = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
        return len(set(runs)) < self.distinct * len(runs)

    def _means(self, answers: Answers) -> list[float]:
        """Whether each answer's first tokens are near certain, NaN where it is not known of any."""
        assert isinstance(answers, Completions)
        if len(answers.offsets) != len(answers) + 1:
            return [np.nan] * len(answers)
        found = []
        for start, stop in zip(answers.offsets[:-1].tolist(), answers.offsets[1:].tolist(), strict=True):
            first = answers.logprobs[start : min(stop, start + self.tokens)]
            if not len(first) or np.isnan(first).any():
                found.append(np.nan)
            else:
                found.append(float(len(first) >= LEAST_TOKENS and float(first.mean(dtype=np.float64)) >= self.certain))
        return found
