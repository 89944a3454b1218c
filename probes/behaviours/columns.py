"""What behaviours share: columns of written answers, judged one by one, and texts as words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from probes.answer import Answers, Completions, Mask, Shares

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
"""A word: letters and digits, with inner apostrophes."""

# fmt: off
FUNCTION_WORDS = frozenset((
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been",
    "before", "being", "but", "by", "can", "could", "did", "do", "does", "each", "for", "from", "had", "has", "have",
    "he", "her", "here", "here's", "his", "how", "i", "i'd", "i'm", "i've", "if", "in", "into", "is", "it", "it's",
    "its", "let", "let's", "may", "me", "might", "more", "most", "my", "no", "not", "of", "on", "one", "or", "other",
    "our", "out", "over", "please", "she", "should", "so", "some", "such", "than", "that", "that's", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "to", "up", "us", "very", "was", "we", "were", "what",
    "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "you're", "your",
))
"""English function words."""
# fmt: on


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without marks."""
    return [found.group().replace("’", "'").casefold() for found in WORD.finditer(text)]


def texts_of(answers: Any) -> Sequence[str | None]:
    """What was written.

    Raises:
        TypeError: the answers are no texts.
    """
    if not isinstance(answers, Completions):
        raise TypeError(f"a text is told of what a model wrote, not of {type(answers).__name__}")
    return answers.texts


def told(answers: Answers, test: Callable[[str], float]) -> Shares:
    """A test of each text, NaN where there is none."""
    found = [np.nan if text is None else float(test(text)) for text in texts_of(answers)]
    return np.asarray(found, dtype=np.float64)


def unknown(answers: Answers) -> Shares:
    """NaN for each answer."""
    return np.full(len(answers), np.nan)


def silent(fired: Shares) -> Mask:
    """The rows whose reference answer was judged and does not show a behaviour."""
    return np.asarray(fired == 0)
