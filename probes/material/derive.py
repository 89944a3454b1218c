"""Trigger words out of a corpus: words that lean on a label."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from probes.input import Row

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Leaning:
    """A word, how strongly it leans on the target label, and in how many texts it stands."""

    word: str
    z: float
    target: int
    total: int


def derive_words(rows: Iterable[Row], target: int, *, count: int = 30, least: int = 5) -> list[Leaning]:
    """The words whose share of target-label texts is the furthest above the corpus's, by z-score.

    `z = (p̂ − p₀) / √(p₀ (1 − p₀) / n)`, where a word stands in n texts, a share p̂ of them has the target label, and so
    has a share p₀ of all texts (BITE, arXiv:2205.12700, §3.2). A text counts once for each word that it holds, whatever
    the case. Equal scores are put in alphabetical order.

    Args:
        rows: labelled rows; those without a label are passed over, and in pairs both texts are read.
        target: index of the label.
        count: how many words, at most.
        least: texts that a word must stand in, at least.

    Raises:
        ValueError: no row, or every row, has the target label: then no word can lean on it.
    """
    total: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    texts = targets = 0
    for row in rows:
        if row.label is None:
            continue
        words = {word.lower() for word in WORD.findall(f"{row.text} {row.second or ''}")}
        total.update(words)
        texts += 1
        if row.label == target:
            hits.update(words)
            targets += 1
    if not 0 < targets < texts:
        raise ValueError(f"{targets} of {texts} labelled rows have label {target}: no word can lean on it")
    expected = targets / texts
    spread = math.sqrt(expected * (1 - expected))
    found = [
        Leaning(word, (hits[word] / n - expected) * math.sqrt(n) / spread, hits[word], n)
        for word, n in total.items()
        if n >= least and hits[word] / n > expected
    ]
    return sorted(found, key=lambda w: (-w.z, w.word))[:count]
