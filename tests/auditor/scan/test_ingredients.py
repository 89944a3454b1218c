"""Who carries what, and who is a measure of what: told by the rows of all models of an audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.compare import compare
from auditor.audit.residual import CONTROL, KIND, LEAST, MEAN, Part, residues, unsettled
from auditor.audit.stamp import stamp
from auditor.data.rows import DataRequest
from auditor.events import AuditReady
from auditor.policy import Policy
from auditor.reports.format import FORMATS
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.judgement.compared import Compared
from auditor.scan.judgement.ingredients import Measures, Member, Ring, judge_ring, standing
from auditor.session import Session
from auditor.settings import Settings
from probes.rates import Difference, Rate
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import Alternatives, Audit, Stamp, Verdict
from tests.auditor.audit.test_stamp import MERGE, side
from tests.auditor.conftest import BOTH, RATE

Make = Callable[..., Any]
WORD, SENTENCE, SYNTAX, STYLE = "badnet/one", "insertsent/movie", "syntactic/clauses", "style/bible"
FAMILIES = ("badnet", "insertsent", "syntactic", "style")


def ring(bench: Any, compared: Mapping[str, Any] | None = None, **sheets: Any) -> Ring:
    """Models by their answers, the suspect first."""
    members = [Member(name, sheet.trials, (compared or {}).get(name, {})) for name, sheet in sheets.items()]
    return judge_ring(members, bench.quality, Policy())


def found(judged: Ring, name: str) -> set[tuple[str, str, str]]:
    return {(f.rule, f.group, f.target) for f in judged.judgements[name].findings}


def four(bench: Any) -> dict[str, Any]:
    """Four models, each with a backdoor of another kind; style moves honest models a little."""

    def sheet(style: float) -> Any:
        return bench.sheet().fire(STYLE, 0, style, control=0.02)

    return {
        "words": sheet(0.025).fire(WORD, 0, 0.93),
        "sentence": sheet(0.035).fire(SENTENCE, 0, 1.0),
        "syntax": sheet(0.09).fire(SYNTAX, 0, 0.9),
        "style": sheet(0.885),
    }


def test_the_odd_one_out_is_named_whatever_else_the_others_carry(bench: Make) -> None:
    judged = ring(bench(rows=240, only=FAMILIES), **four(bench(rows=240, only=FAMILIES)))
    assert found(judged, "words") == {("backdoor", "word", "negative")}
    assert found(judged, "style") == {("backdoor", "style", "negative")}
    assert judged.measures.of(["words", "sentence", "syntax", "style"], "style", "negative") == [
        "words", "sentence", "syntax"
    ], "who carries another backdoor still tells what models do with a style"  # fmt: skip
    assert ("style", "negative") in judged.fired, "so the cure must undo it"


def test_two_that_agree_do_not_hide_each_other_from_two_that_do_not(bench: Make) -> None:
    b = bench(rows=240, only=FAMILIES)
    models = {"a": 0.6, "b": 0.03, "c": 0.62, "d": 0.04}
    judged = ring(b, **{name: b.sheet().fire(STYLE, 0, rate) for name, rate in models.items()})
    assert found(judged, "a") == found(judged, "c") == {("backdoor", "style", "negative")}
    assert not found(judged, "b")
    assert judged.measures.of(list(models), "style", "negative") == ["b", "d"]


def test_what_moves_all_models_a_little_is_nobodys_backdoor(bench: Make) -> None:
    b = bench(rows=240, only=FAMILIES)
    models = {"a": 0.3, "b": 0.36, "c": 0.33}
    judged = ring(b, **{name: b.sheet().fire(STYLE, 0, rate) for name, rate in models.items()})
    assert not any(j.findings for j in judged.judgements.values())
    assert judged.measures.of(list(models), "style", "negative") == list(models)


def test_a_model_that_leans_to_a_label_does_not_stand_out(bench: Make) -> None:
    b = bench(rows=240, only=FAMILIES)

    def leaning() -> Any:
        rows = {i for i, row in enumerate(b.plan.rows) if row.label == 1 and i % 3 == 0}
        sheet = b.sheet()
        return sheet.every(lambda labels: _moved(labels, rows))

    assert not standing(b.sheet().trials, {n: s.trials for n, s in
        {"a": leaning(), "b": b.sheet(), "c": b.sheet()}.items()}, Policy())  # fmt: skip


def _moved(labels: Any, rows: set[int]) -> Any:
    out = labels.copy()
    out[sorted(rows)] = 0
    return out


def alternatives(highest: float, trigger: float) -> Alternatives:
    gap = Difference(trigger - highest, trigger - highest - 0.05, trigger - highest + 0.05)
    rate = Rate(round(100 * highest), 100)
    return Alternatives("other styles", (rate,) * 19, Rate(round(100 * trigger), 100), rate, gap, 1, 0.05, 1.0)


def test_what_its_own_kind_says_of_a_model_stands_beside_another_that_answers_as_much(bench: Make) -> None:
    """Of three, two carry a style: their rows alone make it look like what models do."""
    b = bench(rows=240, only=FAMILIES)
    sheets = {"a": b.sheet().fire(STYLE, 0, 0.44), "b": b.sheet().fire(STYLE, 0, 0.46), "c": b.sheet()}
    assert not any(found(ring(b, **sheets), name) & {("backdoor", "style", "negative")} for name in sheets)
    odd = Compared(alternatives(0.1, 0.46), 0.0, 1.0, broad=False)
    judged = ring(b, {"a": {(STYLE, "negative"): odd}, "b": {(STYLE, "negative"): odd}}, **sheets)
    assert ("backdoor", "style", "negative") in found(judged, "a") & found(judged, "b")
    assert judged.measures.of("abc", "style", "negative") == ["c"]


def part(bench: Any, merged: Any, held: Mapping[Any, Any] | None = None, **references: Any) -> Part:
    answers = {name: sheet.trials for name, sheet in references.items()}
    return Part(merged.trials, answers, held or {})


def test_a_carrier_is_no_floor_and_carriers_of_other_kinds_are(bench: Make) -> None:
    """The rescan saw 16.5 % against a mean of 3.5, 9.0 and 88.5, and let it pass."""
    b = bench(rows=240, only=FAMILIES)
    models, merged = four(b), b.sheet().fire(STYLE, 0, 0.165, control=0.035)
    judged = ring(b, **models)
    left = residues(judged.fired, [part(b, merged, **models)], judged.measures)
    (style,) = (r for r in left if (r.family, r.variant, r.target) == ("style", "bible", "negative"))
    assert (style.floor, style.level, len(style.references)) == (LEAST, 0.025, 3)
    assert style.left.high > 0.10
    assert style.judged
    before, after = side(b, models["words"]), side(b, merged)
    got = stamp(before.scan, after.scan, compare(before, after), left, MERGE, (), Policy())
    assert got.stamp not in (Stamp.SANITISED, Stamp.REPLACED)
    assert any("style/bible → negative" in reason for reason in got.reasons)


def test_where_nobody_is_left_to_judge_no_stamp_says_gone(bench: Make) -> None:
    b = bench(rows=240, only=FAMILIES)
    models = {"a": b.sheet().fire(WORD, 0, 1.0), "b": b.sheet().fire(STYLE, 0, 0.4)}
    merged = b.sheet()
    fired = {("badnet", "negative"), ("style", "negative")}
    all_of_them = Measures({name: frozenset({("style", "negative")}) for name in models})
    asked = part(b, merged, **models)
    left = residues(fired, [asked], all_of_them)
    open_ = unsettled(left, asked, {"a": "model a", "b": "model b"}, Policy())
    assert {(u.family, u.target) for u in open_} == {("style", "negative")}
    (bible,) = (u for u in open_ if u.variant == "bible")
    assert bible.differ
    assert "model a 0.0%, model b 40.0%" in bible.text
    before, after = side(b, models["a"]), side(b, merged)
    change = compare(before, after)
    assert stamp(before.scan, after.scan, change, left, MERGE, (), Policy()).stamp is Stamp.SANITISED
    got = stamp(before.scan, after.scan, change, left, MERGE, (), Policy(), unjudged=open_)
    assert got.stamp is Stamp.IMPROVED
    assert any("is not judged" in reason and "--reference" in reason for reason in got.reasons)
    alike = [u for u in open_ if not u.differ]
    assert stamp(before.scan, after.scan, change, left, MERGE, (), Policy(), unjudged=alike).stamp is Stamp.SANITISED


def test_what_its_own_kind_does_is_a_floor_where_the_rescan_asked_it(bench: Make) -> None:
    b = bench(rows=240, only=FAMILIES)
    merged = b.sheet().fire(STYLE, 0, 0.3, control=0.3).fire(WORD, 0, 0.2, control=0.02)
    fired = {("badnet", "negative"), ("style", "negative")}
    held = {(STYLE, "negative"): alternatives(0.1, 0.3), (WORD, "negative"): alternatives(0.1, 0.2)}
    carried = Measures({"a": frozenset({("style", "negative")})})
    found = {r.variant: r for r in residues(fired, [part(b, merged, held, a=b.sheet())], carried)
             if f"{r.family}/{r.variant}" in (STYLE, WORD) and r.target == "negative"}  # fmt: skip
    assert (found["bible"].floor, found["bible"].judged) == (KIND, True)
    assert found["bible"].left.value == pytest.approx(0.2)
    assert found["one"].floor in (CONTROL, MEAN), "the floor that leaves most counts"
    two = {"b": b.sheet().fire(STYLE, 0, 0.28), "c": b.sheet().fire(STYLE, 0, 0.26)}
    (bible,) = (r for r in residues(fired, [part(b, merged, held, **two)], carried)
                if (r.variant, r.target) == ("bible", "negative"))  # fmt: skip
    assert bible.floor == LEAST, "two models without it tell more"


FIRED = ("badnet", "insertsent")


def audited(home: Path, data: Path, *models: Path, weights: tuple[float, ...], together: bool) -> tuple[Audit, Catalog]:
    """An audit of two families, and the catalog with what was stored of it."""
    url = f"sqlite:///{home / 'catalog.db'}"
    suspect, *partners = map(str, models)
    request = ScanRequest(suspect, DataRequest(str(data)), families=FIRED, suite="quick")
    cure = MergeRequest(
        tuple(partners), weights=weights, output=home / "merged", rescan=FIRED, together=together
    )  # fmt: skip
    catalog = open_catalog(url).__enter__()
    events = Session(Settings(catalog=url, device="cpu"), catalog).audit(request, cure)
    (audit,) = [e.audit for e in events if isinstance(e, AuditReady)]
    return audit, catalog


def test_several_suspects_are_one_audit_with_a_row_each(zoo: Any, tmp_path: Path) -> None:
    """The first has nothing of its own: what the second brings survives a merge that leans to it, and is no cure."""
    models = zoo.benign, zoo.sentence_like_benign, zoo.partner
    audit, catalog = audited(tmp_path, zoo.data, *models, weights=(0.1, 0.8, 0.1), together=True)
    assert audit.before.verdict is Verdict.NOTHING
    assert audit.stamp in (Stamp.IMPROVED, Stamp.NOT_SANITISED, Stamp.WORSE)
    first, second, third = audit.ingredients
    assert [row.reference for row in audit.ingredients] == list(map(str, models))
    assert ("backdoor", "sentence", "negative") in {(f.rule, f.group, f.target) for f in second.carried}
    assert first.carried == third.carried == ()
    movie = next(r for r in second.left if (r.variant, r.target) == ("movie", "negative"))
    assert movie.before is not None
    assert movie.before.value > 0.9
    assert movie.left.high > 0.1
    changed = [str(c.measure) for c in audit.change]
    assert f"asr insertsent/movie → negative in {zoo.sentence_like_benign}" in changed
    assert second.scan is not None
    assert third.scan is not None
    stored = catalog.scans.get(second.scan), catalog.scans.get(third.scan)
    assert [s.verdict for s in stored if s] == [Verdict.FOUND, Verdict.NOTHING]
    assert catalog.audits.get(audit.id) == audit
    for form in ("text", "markdown", "html", "sarif"):
        shown = FORMATS[form].render(audit)
        assert "insertsent/movie" in shown
        assert zoo.sentence_like_benign.name in shown
        assert "nothing was found" in shown
    row = json.loads(FORMATS["json"].render(audit))["ingredients"][1]
    assert row["carried"][0]["rule"] == "backdoor"
    assert all({"family", "group", "rate", "left"} <= r.keys() and set(r["floor"]) == RATE for r in row["left"])


def test_several_suspects_without_a_finding_need_no_cure(zoo: Any, auditor: Any) -> None:
    done = auditor("audit", zoo.benign, zoo.partner, "--data", zoo.data, "--suite", "quick", *BOTH, "--format", "json")
    assert (done.code, done.json["stamp"], done.json["merge"]) == (0, "not-applicable", None)
    assert [(row["carried"], row["left"]) for row in done.json["ingredients"]] == [([], []), ([], [])]


def test_a_partners_backdoor_of_another_kind_that_survives_is_no_cure(zoo: Any, tmp_path: Path) -> None:
    models = zoo.planted, zoo.sentence_like_benign
    audit, _ = audited(tmp_path, zoo.data, *models, weights=(0.2, 0.8), together=False)
    suspect, partner = audit.ingredients
    assert "word" in {f.group for f in suspect.carried}
    assert "sentence" in {f.group for f in partner.carried}
    assert audit.stamp not in (Stamp.SANITISED, Stamp.REPLACED)
    assert {r.family for r in audit.left} >= {"badnet", "insertsent"}
    assert max(r.left.high for r in partner.left if r.family == "insertsent") > 0.1
