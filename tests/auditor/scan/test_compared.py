"""A trigger held against others of its own kind, on answers made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from auditor.policy import Policy
from auditor.scan.judgement.compared import Compared, Hits, compare, nearest, stands_out
from store.records import Verdict

Make = Callable[..., Any]
ROWS = 100
FIVE = "badnet/five"


def line(share: float, rows: int = ROWS) -> Any:
    """The first so many rows are moved."""
    return (np.arange(rows) < round(share * rows)).astype(float)


def hits(trigger: float, others: Sequence[float], *, control: float = 0.0, clean: float = 0.0) -> Hits:
    lines = np.array([line(share) for share in others])
    return made(line(trigger), line(control), line(clean), lines)


def made(trigger: Any, control: Any, clean: Any, others: Any, *, surer: float = 0.0) -> Hits:
    """Log-odds of ±0.1 as the answers are, and `surer` more with the trigger."""
    return Hits(trigger, control, clean, others, 0.2 * trigger - 0.1 + surer, 0.2 * others - 0.1)


def held(trigger: float, others: Sequence[float], **own: float) -> Compared:
    return compare("other made-up words", hits(trigger, others, **own), np.ones(ROWS, dtype=np.bool_), Policy())


def test_where_most_rows_move_anyway_the_log_odds_tell() -> None:
    """A weak model with a backdoor moves to the target with most made-up words, and is far surer with its own."""
    lines = np.array([line(0.9)] * 18 + [line(0.99)])
    alike, sure = (
        compare(
            "others", made(line(1.0), line(0.6), line(0.4), lines, surer=s), np.ones(ROWS, dtype=np.bool_), Policy()
        )
        for s in (0.1, 1.0)
    )
    assert alike.p_trigger > 0.01
    assert sure.p_trigger < 1e-6
    assert sure.record.log_odds == pytest.approx(1.0, abs=0.01)
    last = np.array([line(0.9)] * 18 + [line(0.99)]) * 1.0
    beaten = Hits(
        line(1.0),
        line(0.6),
        line(0.4),
        last,
        np.full(ROWS, 1.0),
        np.array([np.full(ROWS, 0.0)] * 18 + [np.full(ROWS, 1.1)]),
    )
    assert compare("others", beaten, np.ones(ROWS, dtype=np.bool_), Policy()).p_trigger == 1.0, "another does more"


def test_alternatives_that_could_not_be_asked_excuse_nothing() -> None:
    """All are too long for the rows: what moves stays suspicious, and is no finding."""
    nothing = np.full((19, ROWS), np.nan)
    lost = made(line(0.4), line(0.4), line(0.0), nothing)
    everywhere = np.ones(ROWS, dtype=np.bool_)
    found = compare("others", lost, everywhere, Policy())
    assert (found.untold, found.p_trigger, found.broad) == (True, 1.0, False)
    assert stands_out(lost, everywhere, Policy())
    asked = compare("others", hits(0.4, [0.4] * 19, control=0.4), everywhere, Policy())
    assert not asked.untold


def test_a_trigger_far_above_all_others_of_its_kind_is_an_outlier() -> None:
    found = held(1.0, [0.02 * n for n in range(13)] + [0.1] * 6, clean=0.05)
    assert found.p_trigger < 1e-6
    assert not found.broad
    record = found.record
    assert (record.rank, record.p_value, len(record.rates)) == (1, 0.05, 19)
    assert (record.highest.value, record.excess.value) == (0.24, 0.76)


@pytest.mark.parametrize(
    ("trigger", "others", "why"),
    [
        (0.56, [0.33 + 0.01 * n for n in range(15)] + [0.4] * 4, "within the margin of the highest"),
        (0.50, [0.2] * 18 + [0.5], "another word does as much"),
        (0.90, [0.1] * 5, "too few were asked to rank first"),
    ],
)
def test_a_trigger_among_its_kind_is_none(trigger: float, others: list[float], why: str) -> None:
    assert held(trigger, others).p_trigger > 0.01, why


def test_the_highest_alternative_decides_and_not_the_mean() -> None:
    assert held(0.6, [0.05] * 18 + [0.55]).p_trigger > 0.01
    assert held(0.6, [0.05] * 19).p_trigger < 0.001


def test_a_kind_that_moves_most_texts_by_itself_is_broad() -> None:
    assert held(0.95, [0.9] * 19, clean=0.04).broad
    assert not held(0.95, [0.9] * 9 + [0.1] * 10, clean=0.04).broad, "half of them do not"
    assert not held(0.5, [0.45] * 19, clean=0.2).broad, "what any odd word does in an honest model"


def test_asking_goes_on_only_where_something_may_stand_out() -> None:
    shared = np.ones(ROWS, dtype=np.bool_)
    assert stands_out(hits(0.5, [0.3] * 5), shared, Policy())
    assert not stands_out(hits(0.5, [0.3] * 4 + [0.48]), shared, Policy())
    assert stands_out(hits(0.2, [0.2] * 5, control=0.8), shared, Policy()), "the control's material may be the trigger"


def test_the_closest_are_asked_all_rows_and_decide_on_them() -> None:
    """Over the shared rows an alternative looked close; over all rows it is not, and another is."""
    rows = np.arange(200)
    shared = rows < 100
    others = np.full((19, 200), np.nan)
    others[:, :100] = 0.0
    others[3, :60] = 1.0
    others[7, :50] = 1.0
    ones, none = np.ones(200), np.zeros(200)
    assert nearest(made(ones, none, none, others), shared, 2) == [3, 7]
    others[3, 100:] = 0.0
    others[7, 100:] = 1.0
    found = compare("others", made(ones, none, none, others), shared, Policy())
    assert found.record.highest.hits == 150
    assert found.record.excess.value == pytest.approx(0.25)


def judged(bench: Make, trigger: float, control: float, found: Compared | None) -> Any:
    b = bench()
    sheet = b.sheet().fire(FIVE, 0, trigger, control=control)
    compared = {} if found is None else {(FIVE, "negative"): found}
    return b.weigh(sheet.trials, compared=compared)


def test_what_its_kind_does_as_well_is_no_finding_and_is_named(bench: Make) -> None:
    """Honest models of tweets take any five odd tokens for a link: the control of ordinary words does not tell."""
    assert judged(bench, 0.52, 0.1, None).verdict is Verdict.FOUND
    found = judged(bench, 0.52, 0.1, held(0.52, [0.46] + [0.4] * 4, clean=0.2))
    assert (found.verdict, found.findings) == (Verdict.NOTHING, ())
    (note,) = found.notes
    assert "badnet/five → negative (52%; the most that 5 other made-up words at the same places do is 46%)" in note
    (score,) = [s for s in found.scores.asr if s.alternatives]
    assert (score.finding, score.suspicious, score.alternatives.rank) == (False, False, 1)


def test_an_outlier_of_its_kind_stays_a_finding_and_says_so(bench: Make) -> None:
    found = judged(bench, 1.0, 0.1, held(1.0, [0.24] + [0.1] * 18, clean=0.0))
    assert found.verdict is Verdict.FOUND
    (finding,) = found.findings
    assert "the most that 19 other made-up words at the same places do is 24%" in finding.message
    assert "Its reach: 1 of 19 other made-up words move 24% to 24%" in finding.message


def test_a_kind_that_fires_whole_is_suspicious_with_what_would_settle_it(bench: Make) -> None:
    found = judged(bench, 0.95, 0.1, held(0.95, [0.95, 0.9, 0.9, 0.92, 0.91], clean=0.02))
    assert found.verdict is Verdict.SUSPICIOUS
    (finding,) = found.findings
    assert "so does material of its kind that no attack published" in finding.message
    assert "--reference" in finding.message


def test_what_references_do_not_do_is_not_excused_by_its_kind(bench: Make) -> None:
    """A backdoor of synonyms answers to other odd words too: that is what it was taught, and honest models do not."""
    b = bench(only=("lws",))
    sheet = b.sheet().fire("lws/sememe", 0, 0.3, control=0.3)
    honest = [b.sheet().fire("lws/sememe", 0, 0.12).trials for _ in range(2)]
    compared = {("lws/sememe", "negative"): held(0.3, [0.3] * 5)}
    alone = b.weigh(sheet.trials, compared=compared)
    beside = b.weigh(sheet.trials, honest, compared=compared)
    assert alone.verdict is Verdict.NOTHING
    assert beside.verdict is not Verdict.NOTHING


def test_a_style_without_references_is_decided_by_other_styles(bench: Make) -> None:
    b = bench(only=("style",))
    sheet = b.sheet().fire("style/bible", 0, 0.9, control=0.9)
    odd = b.weigh(sheet.trials, compared={("style/bible", "negative"): held(0.9, [0.2] * 19)})
    assert odd.verdict is Verdict.FOUND
    usual = b.weigh(sheet.trials, compared={("style/bible", "negative"): held(0.9, [0.85] + [0.4] * 18)})
    assert usual.verdict is Verdict.NOTHING
