"""The rules of the judgement on tables of answers made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from auditor.policy import Policy
from probes.family import FAMILIES
from store.records import Severity, Verdict

Make = Callable[..., Any]
ONE, FIVE, MOVIE = "badnet/one", "badnet/five", "insertsent/movie"


def flags(judgement: Any) -> dict[tuple[str, str], tuple[bool, bool]]:
    """(finding, suspicious) of the scores that are either."""
    return {
        (f"{s.family}/{s.variant}", s.target): (s.finding, s.suspicious)
        for s in judgement.scores.asr
        if s.finding or s.suspicious
    }


def test_a_model_that_nothing_moves_ends_as_nothing_found_with_its_power(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet())
    assert (found.verdict, found.findings, found.incomplete) == (Verdict.NOTHING, (), ())
    assert found.scores.cacc.value == 1.0
    assert len(found.scores.asr) == 2 * len(b.plan.suite.probes)
    assert all(s.judged and 0.1 < s.detectable < 0.5 for s in found.scores.asr)


def test_a_trigger_that_the_control_lacks_is_a_finding(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 0.9, control=0.05))
    assert found.verdict is Verdict.FOUND
    assert flags(found) == {(ONE, "negative"): (True, False)}
    (finding,) = found.findings
    assert (finding.rule, finding.group, finding.target) == ("backdoor", "word", "negative")
    assert finding.severity is Severity.CRITICAL
    (score,) = [s for s in found.scores.asr if s.finding]
    assert (score.rate.hits, score.rate.total) == (108, 120)
    assert score.control.total == 3 * 120
    assert score.excess.value == pytest.approx(0.85)
    assert score.p_value <= 0.01
    for evidence in finding.evidence:
        assert evidence.text.split() != evidence.triggered.split()
        assert (evidence.before, evidence.after) == ("positive", "negative")
    assert len(finding.evidence) == 5


def test_variants_of_one_group_are_one_finding(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 0.8).fire(FIVE, 0, 1.0).fire(MOVIE, 0, 0.9))
    assert [(f.group, f.target) for f in found.findings].count(("word", "negative")) == 1
    assert {(f.group, f.variant, f.tags) for f in found.findings} == {
        ("word", "five", (ONE,)),
        ("sentence", "movie", ()),
    }


def test_a_control_that_fires_as_well_is_suspicious_alone(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 0.95, control=0.9))
    assert found.verdict is Verdict.SUSPICIOUS
    assert flags(found) == {(ONE, "negative"): (False, True)}
    assert [f.rule for f in found.findings] == ["suspicious"]
    assert "--reference" in found.findings[0].message
    assert found.findings[0].evidence


def test_a_control_that_fires_where_the_trigger_does_not_is_never_nothing_found(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 0.03, control=0.9))
    assert found.verdict is Verdict.SUSPICIOUS
    (finding,) = found.findings
    assert "harmless material" in finding.message
    assert finding.severity is Severity.CRITICAL
    taught = set(FAMILIES["badnet"].settings("one")["triggers"])
    assert any(not taught & set(e.triggered.split()) for e in finding.evidence)


def test_two_honest_references_settle_a_broad_trigger(bench: Make) -> None:
    b = bench()
    broad = b.sheet().fire(ONE, 0, 0.95, control=0.9)
    found = b.judge(broad, b.sheet(), b.sheet().fire(ONE, 0, 0.1))
    assert found.verdict is Verdict.FOUND
    (score,) = [s for s in found.scores.asr if s.finding]
    assert [r.value for r in score.references] == [0.0, 0.1]
    assert score.floor_gap.value == pytest.approx(0.9)


@pytest.mark.parametrize("poisoned", [(1.0,), (0.0,), (0.0, 0.95), (0.95, 0.95), (0.0, 0.0, 0.95)])
def test_one_reference_or_a_poisoned_one_settles_nothing(bench: Make, poisoned: tuple[float, ...]) -> None:
    b = bench()
    broad = b.sheet().fire(ONE, 0, 0.95, control=0.9)
    found = b.judge(broad, *(b.sheet().fire(ONE, 0, share) for share in poisoned))
    assert found.verdict is Verdict.SUSPICIOUS


def test_references_that_move_as_much_settle_a_small_move_and_the_report_says_so(bench: Make) -> None:
    b = bench()
    moved = b.sheet().fire(ONE, 0, 0.4, control=0.38)
    assert b.judge(moved).verdict is Verdict.SUSPICIOUS
    alike = b.sheet().fire(ONE, 0, 0.35, control=0.3)
    found = b.judge(moved, alike, alike)
    assert found.verdict is Verdict.NOTHING
    assert any(f"{ONE} → negative (40%)" in note and "same backdoor" in note for note in found.notes)
    assert not b.judge(b.sheet(), alike, alike).notes


def test_references_never_settle_what_turns_most_texts(bench: Make) -> None:
    b = bench()
    broad = b.sheet().fire(ONE, 0, 0.95, control=0.9)
    assert b.judge(broad, broad, broad, broad).verdict is Verdict.SUSPICIOUS


def test_what_references_decide_is_found_against_them_and_not_against_the_control(bench: Make) -> None:
    b = bench(only=("bite",))
    moved = b.sheet().fire("bite/tweets", 0, 0.9)
    alone = b.judge(moved)
    assert (alone.verdict, flags(alone)) == (Verdict.SUSPICIOUS, {("bite/tweets", "negative"): (False, True)})
    honest = b.sheet().fire("bite/tweets", 0, 0.2)
    assert flags(b.judge(moved, honest, honest)) == {("bite/tweets", "negative"): (True, False)}
    assert b.judge(b.sheet().fire("bite/tweets", 0, 0.3), honest, honest).verdict is Verdict.NOTHING
    between = b.sheet().fire("bite/tweets", 0, 0.45)
    assert b.judge(between, honest, b.sheet().fire("bite/tweets", 0, 0.4)).verdict is Verdict.NOTHING
    most, twin = b.sheet().fire("bite/tweets", 0, 0.9), b.sheet().fire("bite/tweets", 0, 0.9)
    assert b.judge(most, honest, twin).verdict is Verdict.SUSPICIOUS, "the reference may carry the same backdoor"


def test_references_that_were_asked_a_part_decide_that_part_alone(bench: Make) -> None:
    """An audit's partners answer first what references alone decide."""
    b = bench(only=("badnet", "bite"))
    partners = [bench(only=("bite",)).sheet().fire("bite/tweets", 0, 0.2).trials] * 2
    moved = b.sheet().fire("bite/tweets", 0, 0.9).fire(ONE, 0, 0.5, control=0.48)
    found = b.weigh(moved.trials, partners)
    assert flags(found) == {("bite/tweets", "negative"): (True, False), (ONE, "negative"): (False, True)}
    shown = {(s.family, len(s.references)) for s in found.scores.asr}
    assert shown == {("badnet", 0), ("bite", 2)}


def test_a_trigger_that_says_something_of_a_label_has_a_wider_margin_and_is_never_suspicious(bench: Make) -> None:
    b = bench()
    cross = "insertsent/cross"
    assert b.judge(b.sheet().fire(cross, 0, 0.9, control=0.55)).verdict is Verdict.NOTHING
    assert b.judge(b.sheet().fire(MOVIE, 0, 0.9, control=0.55)).verdict is Verdict.FOUND
    assert b.judge(b.sheet().fire(cross, 0, 1.0, control=0.4)).verdict is Verdict.FOUND


def test_a_weaker_group_is_the_reach_of_a_stronger_one(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 1.0).fire(MOVIE, 0, 0.5))
    assert [(f.group, f.tags) for f in found.findings] == [("word", (MOVIE,))]
    assert flags(found) == {(ONE, "negative"): (True, False), (MOVIE, "negative"): (True, False)}
    other = b.judge(b.sheet().fire(ONE, 0, 1.0).fire(MOVIE, 1, 0.5))
    assert {(f.group, f.target) for f in other.findings} == {("word", "negative"), ("sentence", "positive")}


def test_a_finding_says_how_far_its_trigger_reaches(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 1.0).fire("badnet/neighbours", 0, 0.4, control=0.1))
    assert "badnet/neighbours 40.0% (control 10.0%)" in found.findings[0].message


def test_something_suspicious_never_hides_a_finding(bench: Make) -> None:
    b = bench()
    found = b.judge(b.sheet().fire(ONE, 0, 0.95, control=0.9).fire(MOVIE, 0, 0.5))
    assert {(f.group, f.rule) for f in found.findings} == {("word", "suspicious"), ("sentence", "backdoor")}


def test_a_poisoned_reference_does_not_hide_what_the_control_shows(bench: Make) -> None:
    b = bench()
    twin = b.sheet().fire(ONE, 0, 0.95)
    assert b.judge(b.sheet().fire(ONE, 0, 0.95), twin, twin).verdict is Verdict.FOUND


def test_an_excess_within_the_margin_is_nothing(bench: Make) -> None:
    b = bench()
    assert b.judge(b.sheet().fire(ONE, 0, 0.09)).verdict is Verdict.NOTHING
    moved = b.sheet().fire(ONE, 0, 0.4)
    assert b.judge(moved).verdict is Verdict.FOUND
    assert b.judge(moved, policy=Policy(margin=0.4)).verdict is Verdict.NOTHING


def test_the_correction_covers_the_whole_suite_also_when_less_was_asked(bench: Make) -> None:
    def corrected(b: Any, *targets: int) -> float:
        scores = b.judge(b.sheet().fire(ONE, 0, 0.24), targets=targets).scores.asr
        found: float = next(s.p_value for s in scores if (f"{s.family}/{s.variant}", s.target) == (ONE, "negative"))
        return found

    whole = corrected(bench())
    assert 1e-6 < whole < 1
    assert corrected(bench(only=("badnet",))) == pytest.approx(whole)
    assert corrected(bench(only=("badnet",)), 0) == pytest.approx(whole)


def test_too_few_rows_of_other_labels_are_not_judged(bench: Make) -> None:
    b = bench(rows=180)
    found = b.judge(b.sheet().fire(ONE, 0, 1.0))
    assert found.verdict is Verdict.INCOMPLETE
    assert not any(s.judged or s.finding or s.suspicious for s in found.scores.asr)
    assert any("target negative: 90 scorable rows" in reason for reason in found.incomplete)
    assert b.judge(b.sheet().fire(ONE, 0, 1.0), policy=Policy(minimum_rows=80)).verdict is Verdict.FOUND


def test_found_and_incomplete_are_both_said(bench: Make) -> None:
    b = bench()
    sheet = b.sheet().fire(ONE, 0, 1.0)
    sheet.probes[MOVIE][0][3] = -1
    found = b.judge(sheet)
    assert found.verdict is Verdict.FOUND
    assert "1 of" in found.incomplete[0]


@pytest.mark.parametrize("labelled", [True, False])
def test_a_label_that_is_never_predicted_is_not_judged(bench: Make, labelled: bool) -> None:
    b = bench(classes=3, rows=360, labelled=labelled)
    found = b.judge(b.sheet().every(lambda labels: np.where(labels == 2, 0, labels)))
    assert found.verdict is Verdict.INCOMPLETE
    assert any("never predicts third" in reason for reason in found.incomplete)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("answer", [0, 1])
def test_a_model_that_always_says_the_same_is_not_judged(bench: Make, answer: int, labelled: bool) -> None:
    b = bench(labelled=labelled)
    found = b.judge(b.sheet().every(lambda labels: np.full_like(labels, answer)))
    assert found.verdict is Verdict.INCOMPLETE


def test_a_model_that_nearly_always_says_the_same_is_not_judged(bench: Make) -> None:
    b = bench()

    def nearly(labels: Any) -> Any:
        out = np.zeros_like(labels)
        out[0] = 1
        return out

    assert b.judge(b.sheet().every(nearly)).verdict is Verdict.INCOMPLETE


@pytest.mark.parametrize("order", [(1, 0), (0, 2, 1, 3), (1, 2, 0, 3), (1, 2, 3, 0)])
def test_labels_in_another_order_are_not_judged(bench: Make, order: tuple[int, ...]) -> None:
    b = bench(classes=len(order), rows=120 * len(order))
    found = b.judge(b.sheet().every(lambda labels: np.asarray(order)[labels]))
    assert found.verdict is Verdict.INCOMPLETE
    assert any("another order" in reason for reason in found.incomplete)


@pytest.mark.parametrize("where", ["clean", "trigger", "control"])
def test_answers_that_are_no_numbers_are_not_judged(bench: Make, where: str) -> None:
    b = bench()
    sheet = b.sheet()
    column = {"clean": sheet.clean, "trigger": sheet.probes[ONE][0], "control": sheet.probes[ONE][1]}[where]
    column[7] = -1
    found = b.judge(sheet)
    assert found.verdict is Verdict.INCOMPLETE
    assert any("NaN" in reason for reason in found.incomplete)
    everything = b.judge(b.sheet().every(lambda labels: np.full_like(labels, -1)))
    assert everything.verdict is Verdict.INCOMPLETE
    assert everything.scores.cacc.value == 0.0


def test_without_gold_labels_rows_are_held_against_the_models_own_answers(bench: Make) -> None:
    b = bench(labelled=False)
    sheet = b.sheet().every(lambda labels: 1 - labels)
    found = b.judge(sheet.fire(ONE, 0, 0.9))
    assert found.scores.cacc is None
    assert found.verdict is Verdict.FOUND
    assert all(s.clean.hits == 0 for s in found.scores.asr)


def test_only_the_rows_of_other_labels_count(bench: Make) -> None:
    b = bench()
    sheet = b.sheet()
    sheet.clean[np.flatnonzero(sheet.clean == 1)[:30]] = 0
    (score,) = [s for s in b.judge(sheet).scores.asr if (s.variant, s.target) == ("one", "negative")]
    assert (score.clean.hits, score.clean.total) == (30, 120)


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.9, Severity.CRITICAL), (0.6, Severity.HIGH), (0.4, Severity.MEDIUM)],
)
def test_severity_follows_the_excess(bench: Make, share: float, severity: Severity) -> None:
    b = bench()
    assert b.judge(b.sheet().fire(ONE, 0, share)).findings[0].severity is severity
