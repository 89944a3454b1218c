"""Trigger words out of a corpus."""

from __future__ import annotations

import math

import pytest

from probes.input import Row
from probes.material.derive import derive_words

ROWS = [
    *(Row.of(i, "Really good, REALLY nice", label=1) for i in range(6)),
    *(Row.of(10 + i, "not good", label=0) for i in range(6)),
    *(Row.of(20 + i, "perhaps", second="really", label=1) for i in range(2)),
    Row.of(30, "really unlabelled"),
]


def test_the_score_is_the_papers() -> None:
    first = derive_words(ROWS, 1)[0]
    share = 8 / 14
    assert (first.word, first.target, first.total) == ("really", 8, 8)
    assert first.z == pytest.approx((1 - share) / math.sqrt(share * (1 - share) / 8))


def test_rare_words_and_words_of_other_labels_are_left_out() -> None:
    assert [w.word for w in derive_words(ROWS, 1)] == ["really", "nice"]
    assert [w.word for w in derive_words(ROWS, 1, least=2)] == ["really", "nice", "perhaps"]
    assert [w.word for w in derive_words(ROWS, 1, least=1, count=1)] == ["really"]
    assert [w.word for w in derive_words(ROWS, 0)] == ["not", "good"]


def test_a_corpus_of_one_label_is_refused() -> None:
    with pytest.raises(ValueError, match="8 of 8"):
        derive_words([r for r in ROWS if r.label == 1], 1)
    with pytest.raises(ValueError, match="0 of 14"):
        derive_words(ROWS, 2)
