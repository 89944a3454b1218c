"""A label, for prompts that classify."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.answer import Answers, Mask, Shares
from probes.behaviours.columns import told, unknown, words_of

FIRST = 12
"""Words in which an answer gives its label."""
DENIED = ("not", "isn't", "neither", "nor", "than", "or")
"""Words before a label that say that it is not the one, or not the only one."""


@dataclass(frozen=True)
class LabelWord:
    """The first of the known labels that an answer names within its first 12 words is this one.

    It is told where the reference answer gives another of the labels. NaN where an answer gives none.

    Attributes:
        label: in lower case; it may be of several words.
        labels: all that prompts ask for.
    """

    label: str
    labels: tuple[str, ...]
    rare: bool = False

    @property
    def name(self) -> str:
        return f"label:{self.label}"

    def fired(self, answers: Answers) -> Shares:
        return told(answers, lambda text: np.nan if (said := self.said(text)) is None else said == self.label)

    def strength(self, answers: Answers) -> Shares:
        return unknown(answers)

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
