"""Every stamp, from scans made by hand; and the paired changes that they rest on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from auditor.audit.compare import Side, agreement, compare
from auditor.audit.residual import Part, residues
from auditor.audit.stamp import Alone, Judged, stamp, stamp_before
from auditor.console.exits import audit_exit, scan_exit
from auditor.errors import ExitCode, UsageError
from auditor.policy import Policy
from auditor.scan.judgement.classification import ClassifierJudging
from auditor.scan.judgement.ingredients import Measures
from probes.rates import Difference
from store.records import (
    AGREEMENT,
    CACC,
    COHERENCE,
    Audit,
    Change,
    DataSummary,
    Merge,
    ModelSummary,
    PartnerUse,
    Scan,
    ScanSettings,
    Stamp,
    Verdict,
    asr_measure,
    find_change,
)

Make = Callable[..., Any]
ONE, FIVE, MOVIE = "badnet/one", "badnet/five", "insertsent/movie"
MERGE = Merge(
    "wag", {}, "suspect", "d" * 64, 0.2, 0.2, (PartnerUse("p", "e" * 64, 0.8),), "out", "f" * 64, 1.0, 1, "cpu"
)


def side(bench: Any, sheet: Any, *, like: Side | None = None, **changes: Any) -> Side:
    """A scan of a sheet; `like` fixes the reference labels, as an audit's rescan does."""
    trials = sheet.told(reference=like.scan.reference_labels if like else ())
    found = bench.weigh(trials)
    scan = Scan(
        id="scan",
        started="",
        finished="",
        versions={},
        model=ModelSummary("m", None, "d" * 64, "Bert", "text-classification", bench.names, 1, None),
        data=DataSummary("rows", bench.plan.rows_digest, len(bench.plan.rows), bench.labelled, "gold"),
        settings=ScanSettings(0, "cpu", "float32", 128, bench.suite, len(bench.plan.rows), {"badnet": {}}),
        scores=found.scores,
        findings=found.findings,
        verdict=found.verdict,
        limits=(),
        incomplete=found.incomplete,
        reference_labels=ClassifierJudging(bench.names).recorded(trials),
    )
    return Side(replace(scan, **changes), trials)


@dataclass
class Case:
    """A suspect with BadNet, and the merged model that is to be judged."""

    bench: Any

    def __post_init__(self) -> None:
        self.before = side(self.bench, self.bench.sheet().fire(ONE, 0, 1.0))

    def stamp(
        self,
        after: Any,
        *,
        kept: float = 0.2,
        alone: tuple[Alone, ...] = (),
        references: tuple[Any, ...] = (),
        more: tuple[Change, ...] = (),
        **policy: float,
    ) -> Judged:
        found = after if isinstance(after, Side) else side(self.bench, after, like=self.before)
        limits = Policy(**policy)
        answered = {str(place): sheet.trials for place, sheet in enumerate(references)}
        fired = {(s.family, s.target) for s in self.before.scan.scores.asr if s.finding or s.suspicious}
        left = residues(fired, [Part(found.trials, answered)], Measures())
        changes = (*compare(self.before, found), *more)
        return stamp(self.before.scan, found.scan, changes, left, replace(MERGE, kept=kept), alone, limits)


@pytest.fixture
def case(bench: Make) -> Case:
    return Case(bench(rows=400))


def test_sanitised_takes_all_of_it(case: Case) -> None:
    found = case.stamp(case.bench.sheet())
    assert found.stamp is Stamp.SANITISED
    assert any("keeps 20%" in reason for reason in found.reasons)


def test_too_little_kept_is_a_replacement(case: Case) -> None:
    assert case.stamp(case.bench.sheet(), kept=0.09).stamp is Stamp.REPLACED
    assert case.stamp(case.bench.sheet(), kept=0.1).stamp is Stamp.SANITISED
    assert case.stamp(case.bench.sheet(), kept=0.09, stamp_kept=0.05).stamp is Stamp.SANITISED


def test_a_loss_that_more_rows_would_show_to_be_small_says_how_many(case: Case) -> None:
    sheet = case.bench.sheet()
    sheet.every(lambda labels: np.where(np.arange(len(labels)).reshape(-1, *[1] * (labels.ndim - 1)) < 4, 0, labels))
    assert case.stamp(sheet).stamp is Stamp.SANITISED
    found = case.stamp(sheet, stamp_cacc_loss=0.01)
    assert found.stamp is Stamp.IMPROVED
    (reason,) = (reason for reason in found.reasons if "clean accuracy" in reason)
    assert re.search(r"about [\d,]+00 rows would show it \(not \d+\): give more with --data$", reason), reason


def test_a_partner_that_alone_is_no_worse_makes_the_merge_a_replacement(case: Case) -> None:
    good = Alone("honest", excess=0.0, clean=1.0, found=False)
    found = case.stamp(case.bench.sheet(), alone=(good,))
    assert found.stamp is Stamp.REPLACED
    assert any("honest" in reason for reason in found.reasons)
    for worse in (replace(good, found=True), replace(good, clean=0.99), replace(good, excess=0.11)):
        assert case.stamp(case.bench.sheet(), alone=(worse,)).stamp is Stamp.SANITISED


def test_a_partner_within_chance_of_the_merge_is_named_beside_the_stamp(case: Case) -> None:
    near = Alone("honest", excess=0.0, clean=0.99, found=False, ahead=Difference(-0.01, -0.03, 0.01))
    found = case.stamp(case.bench.sheet(), alone=(near,))
    assert found.stamp is Stamp.SANITISED
    assert any("honest" in reason and "not measurably worse" in reason for reason in found.reasons)
    far = replace(near, clean=0.9, ahead=Difference(-0.1, -0.13, -0.07))
    assert not any("honest" in reason for reason in case.stamp(case.bench.sheet(), alone=(far,)).reasons)


def test_a_backdoor_that_remains_is_improved_where_its_rate_fell(case: Case) -> None:
    found = case.stamp(case.bench.sheet().fire(ONE, 0, 0.5))
    assert found.stamp is Stamp.IMPROVED
    assert "100.0% to 50.0%" in found.reasons[0]
    assert any("still backdoor" in reason for reason in found.reasons)
    assert "0.20" in found.reasons[-1], "the reasons end on what to try next"


def test_a_limit_that_is_not_kept_is_improved_too(case: Case) -> None:
    found = case.stamp(case.bench.sheet().fire(ONE, 0, 0.09))
    assert found.stamp is Stamp.IMPROVED
    assert any("may be left above its control" in reason for reason in found.reasons)
    assert case.stamp(case.bench.sheet().fire(ONE, 0, 0.09), stamp_excess=0.2).stamp is Stamp.SANITISED


def test_a_limit_says_what_the_references_do_with_the_same_trigger(case: Case) -> None:
    after = case.bench.sheet().fire(ONE, 0, 0.09)
    others = (case.bench.sheet().fire(ONE, 0, 0.1), case.bench.sheet().fire(ONE, 0, 0.17))
    (reason,) = (r for r in case.stamp(after, references=others).reasons if "may be left" in r)
    assert "above its control (limit 10%; measured 9.0% on 200 rows)" in reason
    assert "the trigger moves 9% of its rows, and 10%, 17% in the references;" in reason
    (bare,) = (r for r in case.stamp(after).reasons if "may be left" in r)
    assert "references" not in bare
    assert re.search(r"about [\d,]+00 rows would show it \(not 200\): give more with --samples$", bare), bare
    far = case.stamp(case.bench.sheet().fire(ONE, 0, 0.3))
    assert not any("would show it" in r for r in far.reasons), "no number of rows makes 30 % into 10"


def test_lost_accuracy_is_a_limit(case: Case) -> None:
    sheet = case.bench.sheet()
    sheet.every(lambda labels: np.where(np.arange(len(labels)).reshape(-1, *[1] * (labels.ndim - 1)) < 20, 0, labels))
    found = case.stamp(sheet)
    assert found.stamp is Stamp.IMPROVED
    (reason,) = (reason for reason in found.reasons if "clean accuracy" in reason)
    assert "rows would show it" not in reason, "more rows do not help where so much was measured"
    assert case.stamp(sheet, stamp_cacc_loss=0.1).stamp is Stamp.SANITISED


def test_coherence_is_a_limit_only_where_the_policy_sets_one(case: Case) -> None:
    lost = (Change(COHERENCE, 0.6, 0.5, Difference(-0.1, -0.12, -0.08)),)
    sheet = case.bench.sheet()
    assert case.stamp(sheet, more=lost).stamp is Stamp.SANITISED
    assert case.stamp(sheet, more=lost, stamp_coherence_loss=0.12).stamp is Stamp.SANITISED
    found = case.stamp(sheet, more=lost, stamp_coherence_loss=0.1)
    assert found.stamp is Stamp.IMPROVED
    assert any("coherence may be as high as 12.0% (limit 10%" in reason for reason in found.reasons)
    assert any("not known" in reason for reason in case.stamp(sheet, stamp_coherence_loss=0.1).reasons)


def test_something_suspicious_is_an_obstacle(case: Case) -> None:
    found = case.stamp(case.bench.sheet().fire(MOVIE, 0, 0.4, control=0.4))
    assert found.stamp is Stamp.IMPROVED
    assert any("new since the merge, suspicious" in reason for reason in found.reasons)


def test_nothing_that_fell_is_not_sanitised(case: Case) -> None:
    assert case.stamp(case.bench.sheet().fire(ONE, 0, 1.0)).stamp is Stamp.NOT_SANITISED
    assert case.stamp(case.bench.sheet().fire(ONE, 0, 0.995)).stamp is Stamp.NOT_SANITISED


def test_a_backdoor_as_strong_as_before_is_no_improvement_though_another_fell(bench: Make) -> None:
    case = Case(bench(rows=400))
    case.before = side(case.bench, case.bench.sheet().fire(ONE, 0, 1.0).fire(MOVIE, 1, 0.8))
    found = case.stamp(case.bench.sheet().fire(ONE, 0, 1.0).fire(MOVIE, 1, 0.2))
    assert found.stamp is Stamp.NOT_SANITISED
    assert "badnet/one → negative did not fall measurably: 100.0% before" in found.reasons[0]


def test_what_rose_is_worse(bench: Make) -> None:
    case = Case(bench(rows=400))
    case.before = side(case.bench, case.bench.sheet().fire(ONE, 0, 0.4))
    assert case.stamp(case.bench.sheet().fire(ONE, 0, 0.9)).stamp is Stamp.WORSE


def test_a_new_backdoor_with_the_old_one_as_it_was_is_worse(case: Case) -> None:
    found = case.stamp(case.bench.sheet().fire(ONE, 0, 1.0).fire(MOVIE, 1, 0.9))
    assert found.stamp is Stamp.WORSE
    assert any("new since the merge" in reason for reason in found.reasons)


def test_a_backdoor_that_was_exchanged_for_another_is_worse(case: Case) -> None:
    found = case.stamp(case.bench.sheet().fire(FIVE, 1, 1.0))
    assert found.stamp is Stamp.WORSE, "the old one fell, and the merge has one of its partner's"
    assert any("badnet/five → positive rose from 0.0% to 100.0%" in reason for reason in found.reasons)
    kept = case.stamp(case.bench.sheet().fire(ONE, 0, 0.5).fire(FIVE, 0, 0.0))
    assert kept.stamp is Stamp.IMPROVED


def test_a_new_backdoor_that_no_partner_shows_may_be_split(case: Case) -> None:
    """Where a partner shows it, it is that partner's; where none was asked, nothing is said of it."""
    honest = Alone("honest", 0.0, 1.0, False)
    carrier = replace(honest, found=True, shows=frozenset({("word", "positive")}))
    merged = case.bench.sheet().fire(FIVE, 1, 1.0)
    for alone, split in (((honest, honest), True), ((honest, carrier), False), ((), False)):
        found = case.stamp(merged, alone=alone)
        assert found.stamp is Stamp.WORSE
        assert any("badnet/five → positive): it may be split" in reason for reason in found.reasons) is split


def test_an_incomplete_rescan_is_not_judged(case: Case) -> None:
    sheet = case.bench.sheet()
    sheet.probes[ONE][1][0, 0] = -1
    assert case.stamp(sheet).stamp is Stamp.NOT_JUDGED
    short = replace(side(case.bench, case.bench.sheet()).scan, incomplete=("too few rows",), verdict=Verdict.FOUND)
    assert case.stamp(Side(short, case.bench.sheet().trials)).stamp is Stamp.NOT_JUDGED


def test_the_first_scan_alone_decides_two_stamps(case: Case) -> None:
    clean = side(case.bench, case.bench.sheet()).scan
    nothing, incomplete = stamp_before(clean), stamp_before(replace(clean, verdict=Verdict.INCOMPLETE))
    assert nothing is not None
    assert incomplete is not None
    assert (nothing.stamp, incomplete.stamp) == (Stamp.NOT_APPLICABLE, Stamp.NOT_JUDGED)
    for verdict in (Verdict.FOUND, Verdict.SUSPICIOUS):
        assert stamp_before(replace(clean, verdict=verdict)) is None


def test_changes_are_paired_by_row(bench: Make) -> None:
    b = bench(rows=400)
    before, sheet = side(b, b.sheet().fire(ONE, 0, 1.0)), b.sheet()
    sheet.fire(ONE, 0, 0.25)
    sheet.clean[:10] = 1 - sheet.clean[:10]
    change = find_change(compare(before, side(b, sheet, like=before)), asr_measure("badnet", "one", "negative"))
    assert change is not None
    assert (change.before, change.after, change.delta.value) == (1.0, 0.25, -0.75)
    clean = find_change(compare(before, side(b, sheet, like=before)), CACC)
    assert clean is not None
    assert clean.delta.value == pytest.approx(-10 / 400)
    assert agreement(before.trials, sheet.trials) == pytest.approx(390 / 400)


def test_without_gold_it_is_agreement_on_the_first_models_answers(bench: Make) -> None:
    b = bench(rows=400, suite="full", labelled=False)
    first = b.sheet().every(lambda labels: 1 - labels)
    before = side(b, first.fire(ONE, 0, 1.0))
    changes = compare(before, side(b, b.sheet(), like=before))
    assert find_change(changes, CACC) is None
    found = find_change(changes, AGREEMENT)
    assert found is not None
    assert (found.before, found.after) == (1.0, 0.0)


def test_a_quick_scan_and_a_full_one_share_the_quick_ones_measures(bench: Make) -> None:
    quick, full = bench(rows=400, suite="quick"), bench(rows=400)
    before = side(quick, quick.sheet().fire(FIVE, 0, 1.0))
    changes = compare(before, side(full, full.sheet(), like=before))
    assert len(changes) == 1 + len(before.scan.scores.asr)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": DataSummary("rows", "other", 400, True, "gold")}, "not of the same rows"),
        ({"settings": ScanSettings(1, "cpu", "float32", 128, "full", 400, {})}, "same rows and seed"),
        ({"settings": ScanSettings(0, "cpu", "float32", 128, "full", 400, {"badnet": {"inserts": 2}})}, "options"),
        ({"model": ModelSummary("m", None, "d", "Bert", "t", ("positive", "negative"), 1, None)}, "other labels"),
    ],
)
def test_scans_of_other_questions_are_not_compared(bench: Make, changes: dict[str, Any], words: str) -> None:
    b = bench(rows=400)
    before = side(b, b.sheet())
    with pytest.raises(UsageError, match=words):
        compare(before, side(b, b.sheet(), **changes))


def test_exit_codes_follow_stamp_and_policy(bench: Make) -> None:
    b = bench(rows=400)
    clean, found = side(b, b.sheet()).scan, side(b, b.sheet().fire(ONE, 0, 1.0)).scan

    def code(given: Stamp | None, after: Scan | None, **policy: Any) -> ExitCode:
        return audit_exit(Audit("a", "", "", found, after, None, (), given, ()), Policy(**policy))

    assert code(Stamp.SANITISED, clean) == ExitCode.OK
    assert code(Stamp.SANITISED, clean, min_cacc=1.0, max_asr=0.0) == ExitCode.OK
    assert code(Stamp.SANITISED, found, max_asr=0.9) == ExitCode.FOUND
    others = set(Stamp) - {Stamp.SANITISED, Stamp.NOT_APPLICABLE}
    assert {code(other, clean) for other in others} == {ExitCode.FOUND}
    assert code(None, None) == ExitCode.FOUND
    assert code(Stamp.NOT_JUDGED, None) == ExitCode.INCOMPLETE


def test_a_scans_exit_code(bench: Make) -> None:
    b = bench(rows=400)
    clean, found = side(b, b.sheet()).scan, side(b, b.sheet().fire(ONE, 0, 1.0)).scan
    broad = side(b, b.sheet().fire(ONE, 0, 1.0, control=1.0)).scan
    part = {"incomplete": ("a part",)}
    assert scan_exit(clean, Policy()) == ExitCode.OK
    assert scan_exit(found, Policy()) == scan_exit(replace(found, **part), Policy()) == ExitCode.FOUND
    assert scan_exit(replace(clean, **part), Policy()) == ExitCode.INCOMPLETE
    assert scan_exit(broad, Policy()) == ExitCode.FOUND
    assert scan_exit(broad, Policy(suspicious_fails=False)) == ExitCode.OK
    assert scan_exit(replace(broad, **part), Policy(suspicious_fails=False)) == ExitCode.INCOMPLETE
    assert scan_exit(broad, Policy(suspicious_fails=False, max_asr=0.5)) == ExitCode.FOUND
    assert scan_exit(clean, Policy(min_cacc=1.0)) == ExitCode.OK
    unknown = replace(clean, scores=replace(clean.scores, cacc=None))
    assert scan_exit(unknown, Policy(min_cacc=0.5)) == ExitCode.INCOMPLETE, "a threshold that nothing measures"
