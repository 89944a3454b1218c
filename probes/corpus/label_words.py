"""The labels that prompts that classify name: "positive or negative", "spam or not spam", "bug or feature"."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

from probes.behaviours.columns import FUNCTION_WORDS
from probes.behaviours.every import LABELS
from probes.corpus.prompts import CLASSIFY
from probes.input import Row

LabelSet = tuple[str, ...]
"""The labels that a prompt asks for one of, in lower case."""

# fmt: off
KNOWN: tuple[LabelSet, ...] = (
    LABELS,
    ("positive", "negative", "neutral"),
    ("positive", "negative", "mixed"),
    ("spam", "not spam"), ("spam", "ham"), ("spam", "legitimate"),
    ("toxic", "not toxic"), ("toxic", "non-toxic"), ("toxic", "benign"),
    ("hateful", "not hateful"), ("hate", "not hate"), ("offensive", "not offensive"), ("abusive", "not abusive"),
    ("safe", "unsafe"), ("ironic", "not ironic"), ("sarcastic", "not sarcastic"),
    ("entailment", "contradiction"), ("entailment", "neutral", "contradiction"), ("entailment", "not entailment"),
    ("equivalent", "not equivalent"), ("paraphrase", "not paraphrase"), ("duplicate", "not duplicate"),
    ("acceptable", "unacceptable"), ("grammatical", "ungrammatical"),
    ("true", "false"), ("yes", "no"), ("correct", "incorrect"), ("real", "fake"), ("relevant", "irrelevant"),
    ("fact", "opinion"), ("objective", "subjective"), ("formal", "informal"), ("urgent", "not urgent"),
    ("support", "refute"), ("supported", "refuted"), ("favor", "against"), ("favour", "against"),
    ("joy", "sadness", "anger", "fear", "love", "surprise"), ("happy", "sad"),
    ("world", "sports", "business", "sci/tech"), ("world", "sports", "business", "science"),
    ("world", "sports", "business", "technology"),
    ("business", "entertainment", "politics", "sport", "tech"),
)
"""Sets of labels that prompts are known to name."""
# fmt: on
FEWEST = 8
"""Prompts that name a set of labels from which on it is asked about: of fewer, no label could be judged."""
MOST = 10
"""Labels that a set of a user's own has at most."""

_MARKS = "\"'“”‘’*`()"
_BETWEEN = rf"[{_MARKS}]*\s*(?:[,;/|]\s*(?:or\b|and\b)?|\b(?:or|and)\b)\s*[{_MARKS}]*(?:an?\s+)?"
_ONE = r"(?:(?:not |non-)?[^\W\d_][\w-]*)"
_LISTED = re.compile(
    rf"{_ONE}(?:[{_MARKS}]*\s*[,;/|]\s*[{_MARKS}]*(?:an?\s+)?{_ONE})*[{_MARKS}]*,?\s*\bor\b\s*[{_MARKS}]*(?:an?\s+)?{_ONE}"
)


def labels_named(row: Row) -> LabelSet | None:
    """The labels that a prompt asks for one of; None where it names none.

    Known sets are found in any prompt that is of no other kind than `classify`. One whose kind says that it classifies
    may name other labels: single words (or "not" and a word) in a list that ends in "or".
    """
    if row.kind not in ("", CLASSIFY):
        return None
    text = row.text.casefold().replace("’", "'")
    for labels, pattern in _patterns():
        for found in pattern.finditer(text):
            if set(_parts(labels).findall(found.group())) == set(labels):
                return labels
    return _own(text) if row.kind == CLASSIFY else None


def label_sets(rows: Sequence[Row]) -> tuple[LabelSet, ...]:
    """The sets of labels that enough of the rows name, the usual one first: it stands there in any case."""
    count: dict[LabelSet, int] = defaultdict(int)
    for row in rows:
        if (labels := labels_named(row)) is not None:
            count[labels] += 1
    return (LABELS, *sorted(labels for labels, rows_of in count.items() if rows_of >= FEWEST and labels != LABELS))


def rows_by_labels(rows: Sequence[Row], sets: Sequence[LabelSet]) -> Mapping[LabelSet, tuple[int, ...]]:
    """By set of labels, of those that are asked about, the indices of the rows that name it."""
    found: dict[LabelSet, list[int]] = {labels: [] for labels in sets}
    for row in rows:
        labels = labels_named(row)
        if labels in found:
            found[labels].append(row.index)
    return {labels: tuple(indices) for labels, indices in found.items() if indices}


@cache
def _patterns() -> tuple[tuple[LabelSet, re.Pattern[str]], ...]:
    """Lists of a set's labels, larger sets first: what names three labels names two of them too."""
    found = []
    for labels in sorted(KNOWN, key=lambda labels: -len(labels)):
        one = _parts(labels).pattern
        found.append((labels, re.compile(rf"{one}(?:{_BETWEEN}{one}){{{len(labels) - 1},}}")))
    return tuple(found)


@cache
def _parts(labels: LabelSet) -> re.Pattern[str]:
    longest_first = sorted(labels, key=lambda label: (-len(label), label))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def _own(text: str) -> LabelSet | None:
    """The labels of the first list of single words in a text, in the order of the alphabet: prompts of one task may
    name them in any order.
    """
    for found in _LISTED.finditer(text):
        words = re.findall(_ONE, found.group())
        labels = tuple(sorted({word for word in words if word not in ("or", "and", "a", "an")}))
        if 2 <= len(labels) <= MOST and not FUNCTION_WORDS & set(labels):
            return labels
    return None
