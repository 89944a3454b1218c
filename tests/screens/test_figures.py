"""What the colour of a change says, and where a score has a p-value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probes.rates import Difference, Rate
from screens.audit.pairing import COLUMNS, Pair, clean_row, row_of
from screens.gallery.seed import PROBES, _profile, _scan, _score
from screens.scan.evidence import explain
from screens.scan.scores import COLUMNS as SCORES
from screens.scan.scores import ScoreView, of_record, of_tally, rows
from screens.widgets.lazy_table import Row
from store.records import Alternatives

CHANGE = [column.title for column in COLUMNS].index("change")
P_VALUE = [column.title for column in SCORES].index("p")


def tone(row: Row) -> str:
    cell = row.cells[CHANGE]
    return cell[1] if isinstance(cell, tuple) else ""


@pytest.mark.parametrize("measure", ["cacc", "agreement"])
@pytest.mark.parametrize(
    ("delta", "expected"), [((0.05, 0.02, 0.08), "good"), ((-0.05, -0.08, -0.02), "bad"), ((-0.01, -0.03, 0.01), "")]
)
def test_a_gain_of_clean_accuracy_is_good_and_a_loss_bad(
    measure: str, delta: tuple[float, float, float], expected: str
) -> None:
    scan = _scan("s1", _profile("m", "1f"), 0, {}, found=False)
    assert tone(clean_row(scan, scan, {measure: delta})) == expected


@pytest.mark.parametrize(
    ("delta", "expected"), [((0.3, 0.2, 0.4), "bad"), ((-0.3, -0.4, -0.2), "good"), ((0.01, -0.02, 0.04), "")]
)
def test_a_rise_of_asr_is_bad_and_a_fall_good(delta: tuple[float, float, float], expected: str) -> None:
    score = of_record(_score(PROBES[0], "negative", 30, finding=False))
    assert tone(row_of(Pair(score.key, score, score, delta))) == expected


LIVE = {
    "family": "badnet",
    "variant": "one",
    "target": "negative",
    "rate": {"hits": 6, "total": 80, "value": 0.075, "low": 0.03, "high": 0.15},
    "control": {"value": 0.1},
}
JUDGED = replace(_score(PROBES[0], "negative", 150, finding=False), p_value=0.25)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(of_tally(LIVE), "–"), (of_record(replace(JUDGED, judged=False)), "–"), (of_record(JUDGED), "0.2500")],
    ids=["so far", "too few rows", "judged"],
)
def test_a_score_has_a_p_value_once_it_is_judged(score: ScoreView, expected: str) -> None:
    """`p 1.0000` would say that nothing is there, before anybody can know."""
    (row,) = rows([score])
    assert row.cells[P_VALUE] == expected
    assert ("p 0.25 over the whole suite" in str(explain(score))) == (expected != "–")


def test_a_score_that_its_kind_explains_says_so() -> None:
    """An excess of 37 points beside "nothing" asks for the reason."""
    high = Rate(73, 100)
    kind = Alternatives("other sentences of its kind", (high,) * 19, high, high, Difference(0.0, -0.1, 0.1), 2, 0.1)
    score = replace(JUDGED, alternatives=kind)
    words = "the most that 19 other sentences of its kind at the same places do is 73%"
    assert words in str(explain(of_record(score)))
