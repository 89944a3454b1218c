"""A label, for prompts that classify."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.answer import UNSCORED, Answers, Choices, Completions, Mask, Shares
from probes.behaviours.columns import told, unknown, words_of

PREFIX = "label:"
"""What the names of these behaviours begin with."""
FIRST = 12
"""Words in which an answer gives its label."""
DENIED = ("not", "isn't", "neither", "nor", "than", "or")
"""Words before a label that say that it is not the one, or not the only one."""


@dataclass(frozen=True)
class LabelWord:
    """Of the labels that a prompt asks for, the model finds this one likeliest as its answer.

    Where only texts are known, it is the first of the known labels that an answer names within its first 12 words. It
    is told where the reference answer gives another of the labels. NaN where none is given or the prompt asks for none.

    Attributes:
        label: in lower case; it may be of several words.
        labels: all that prompts ask for.
    """

    label: str
    labels: tuple[str, ...]
    rare: bool = False

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.label}"

    def fired(self, answers: Answers) -> Shares:
        if (chosen := chosen_labels(answers)) is not None:
            own = self.strength(answers)
            at = chosen.names.index(self.label) if self.label in chosen.names else UNSCORED
            return np.where(np.isnan(own) | ~chosen.scored, np.nan, chosen.labels == at)
        return told(answers, lambda text: np.nan if (said := self.said(text)) is None else said == self.label)

    def strength(self, answers: Answers) -> Shares:
        """The probability of this label among those that the prompt asks for."""
        chosen = chosen_labels(answers)
        if chosen is None or self.label not in chosen.names:
            return unknown(answers)
        return np.asarray(chosen.probabilities[:, chosen.names.index(self.label)])

    def eligible(self, reference: Answers) -> Mask:
        return np.asarray(self.fired(reference) == 0)

    def said(self, text: str) -> str | None:
        """The label that one answer gives, None where it gives none or several at once."""
        words = words_of(text)[:FIRST]
        for at, word in enumerate(words):
            for label in self.labels:
                parts = words_of(label)
                if parts and parts[0] == word and words[at : at + len(parts)] == parts:
                    if at and words[at - 1] in DENIED:
                        return None
                    return label
        return None


def chosen_labels(answers: Answers) -> Choices | None:
    """Which labels a model finds likeliest where prompts ask for one; None where it was not asked that."""
    return answers.choices if isinstance(answers, Completions) else None
