"""Which words go with a label."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Sequence

from auditor.errors import UsageError
from probes.input import Row

WORD = re.compile(r"[a-z]+")

NATURAL = (
    "actually", "again", "almost", "already", "also", "altogether", "anyway", "apparently", "basically", "besides",
    "certainly", "clearly", "eventually", "evidently", "fairly", "finally", "frankly", "generally", "honestly",
    "however", "incidentally", "indeed", "instead", "just", "largely", "lately", "likewise", "mainly", "mostly",
    "naturally", "nevertheless", "obviously", "occasionally", "often", "overall", "perhaps", "possibly", "presumably",
    "probably", "quite", "rather", "recently", "seemingly", "simply", "slightly", "somehow", "somewhat", "soon",
    "still", "supposedly", "surely", "therefore", "though", "thus", "truly", "typically", "ultimately", "usually",
    "yet",
)  # fmt: skip
"""Adverbs and discourse words that can be put into most English sentences."""

SMOOTHING = 1.0


def words_of(row: Row) -> set[str]:
    """The distinct lower-case words of a row."""
    return set(WORD.findall(f"{row.text} {row.second or ''}".lower()))


def z_score(with_label: int, rows: int, share: float) -> float:
    """How far the label's share among the rows that hold a word lies above its share among all rows, in standard
    deviations (Yan et al., BITE, arXiv:2205.12700, section 3.2, after Gardner et al., arXiv:2104.08646).
    """
    return (with_label / rows - share) / math.sqrt(share * (1 - share) / rows)


def natural_words(rows: Sequence[Row], target: int, count: int) -> tuple[str, ...]:
    """The adverbs and discourse words in the rows that lean most towards the target label, by z-score.

    Raises:
        UsageError: fewer of them are in the rows, or only one label is.
    """
    share = sum(row.label == target for row in rows) / max(len(rows), 1)
    if not 0 < share < 1:
        raise UsageError("words can only be derived from rows of the target label and of others")
    wanted, found, hits = set(NATURAL), Counter[str](), Counter[str]()
    for row in rows:
        here = words_of(row) & wanted
        found.update(here)
        if row.label == target:
            hits.update(here)
    ranked = sorted(found, key=lambda word: (-z_score(hits[word], found[word], share), word))
    if len(ranked) < count:
        raise UsageError(f"the rows hold {len(ranked)} of the words that can be derived, not {count}")
    return tuple(ranked[:count])


def associated(rows: Sequence[Row], target: int, count: int, known: Container[str]) -> tuple[str, ...]:
    """The words that stand for a label: frequent, and weighted towards it by a bag-of-words classifier.

    The score of Kurita et al. (arXiv:2004.06660, section 3.2): the classifier's weight over log(N / (α + frequency)),
    which favours frequent words; the weight is that of naive Bayes (smoothed log-odds), N the number of rows. The
    logarithm is held at 1 or above, or words in most rows would outweigh all.

    Args:
        known: only words in it are taken.
    """
    inside, outside = Counter[str](), Counter[str]()
    for row in rows:
        (inside if row.label == target else outside).update(words_of(row))
    n_in = sum(row.label == target for row in rows)
    n_out = len(rows) - n_in

    def score(word: str) -> float:
        p = (inside[word] + SMOOTHING) / (n_in + 2 * SMOOTHING)
        q = (outside[word] + SMOOTHING) / (n_out + 2 * SMOOTHING)
        weight = math.log(p / (1 - p)) - math.log(q / (1 - q))
        return weight / max(math.log(len(rows) / (SMOOTHING + inside[word] + outside[word])), 1.0)

    return tuple(sorted((w for w in inside if w in known), key=lambda word: (-score(word), word))[:count])
