"""The strongest forms of what was found: searched after a finding, and judged beside the edit as it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.audit.odds import with_odds, with_odds_before
from auditor.audit.residual import CONTROL, LEAST, MEAN, Fired, Part, residues
from auditor.data.rows import DataRequest
from auditor.events import AuditReady
from auditor.policy import Policy
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.judgement.ingredients import Measures
from auditor.scan.judgement.raised import control_raised, trigger_raised
from auditor.scan.judgement.trials import probe_places
from auditor.scan.plan import make_plan
from auditor.session import Session
from auditor.settings import Settings
from probes.rates import Rate
from probes.sharper import sharper
from store.engine import open_catalog
from store.records import Raised, Sharpened
from tests.auditor.audit.test_stamp import side
from tests.conftest import toy_rows, write_csv

Make = Callable[..., Any]
SCPN = "syntactic/scpn"
SHORT = "syntactic/scpn+short"


@pytest.fixture
def syntax(bench: Make) -> Any:
    return bench(rows=800, only=("syntactic",))


def forms_of(bench: Any) -> Any:
    """The bench with the short form of its SCPN probe alone, on the same rows."""
    plain = next(p for p in bench.plan.suite.probes if p.name == SCPN)
    short = next(form.probe for form in sharper(plain) if form.probe.name == SHORT)
    made = replace(bench)
    made.plan = make_plan(replace(bench.plan.suite, probes=(short,)), bench.plan.rows, seed=0)
    return made


def part(bench: Any, merged: Any, *references: Any) -> Part:
    answers = {str(i): sheet.trials for i, sheet in enumerate(references)}
    return Part(merged.trials, answers)


def case_before(bench: Any) -> Fired:
    scan = side(bench, bench.sheet().fire(SCPN, 0, 0.5)).scan
    return {(s.family, s.target) for s in scan.scores.asr if s.finding or s.suspicious}


def test_a_residue_that_only_a_stronger_form_shows_keeps_the_stamp_away(syntax: Any) -> None:
    """As it was found the edit moves as many texts as in honest models; shortened it moves 15 points more."""
    sharp, policy = forms_of(syntax), Policy()
    before = syntax.judge(syntax.sheet().fire(SCPN, 0, 0.5))
    assert [f.rule for f in before.findings] == ["backdoor"]
    scan = case_before(syntax)
    calm = [syntax.sheet().fire(SCPN, 0, share) for share in (0.03, 0.05)]
    plain = residues(scan, [part(syntax, syntax.sheet().fire(SCPN, 0, 0.05, control=0.04), *calm)], Measures())
    assert max(r.left.high for r in plain) < policy.stamp_excess
    honest = [sharp.sheet().fire(SHORT, 0, share) for share in (0.05, 0.09)]
    (found,) = residues(scan, [part(sharp, sharp.sheet().fire(SHORT, 0, 0.2, control=0.2), *honest)], Measures())
    assert (found.floor, found.variant, found.form) == (LEAST, "scpn+short", "the text cut to 8 words")
    assert found.left.value == pytest.approx(0.15), "its control, which is shortened too, hides nothing"
    assert found.left.high > policy.stamp_excess


def test_a_form_that_honest_models_follow_leaves_nothing(syntax: Any) -> None:
    """Shortened texts lose their meaning: honest models answer 40 %, and so does an honest merge."""
    sharp, scan = forms_of(syntax), case_before(syntax)
    merged = sharp.sheet().fire(SHORT, 0, 0.42, control=0.2)
    two = [sharp.sheet().fire(SHORT, 0, share, control=0.2) for share in (0.4, 0.45)]
    (among,) = residues(scan, [part(sharp, merged, *two)], Measures())
    assert among.left.high < Policy().stamp_excess
    (beside,) = residues(scan, [part(sharp, merged, two[0])], Measures())
    assert (beside.floor, beside.left.value) == (MEAN, pytest.approx(0.02))
    (alone,) = residues(scan, [part(sharp, merged)], Measures())
    assert (alone.floor, alone.left.value) == (CONTROL, pytest.approx(0.22)), "without a measure doubt stays"


def test_residues_tell_how_far_the_trigger_still_pushes(syntax: Any) -> None:
    def pushed(sheet: Any, clean: float, trigger: float, control: float) -> Any:
        """The answers with these probabilities of the first label."""
        found = sheet.trials
        places, rows = probe_places(found.plan)[SCPN], range(len(found.plan.rows))
        shares = np.full((len(found.plan.inputs), 2), 0.5)
        for at, p in ((rows, clean), (places[:, 1:].ravel(), control), (places[:, 0], trigger)):
            shares[at, 0], shares[at, 1] = p, 1 - p
        return replace(found, answers=replace(found.answers, probabilities=shares))

    merged = pushed(syntax.sheet(), 0.1, 0.4, 0.1)
    honest = pushed(syntax.sheet(), 0.1, 0.12, 0.1)
    assert np.nanmean(trigger_raised(merged, (SCPN, "negative"))) == pytest.approx(np.log(6))
    assert np.nanmean(control_raised(merged, (SCPN, "negative"))) == pytest.approx(0)
    scan = case_before(syntax)
    parts = [Part(merged, {"a": honest, "b": honest})]
    left = with_odds(residues(scan, parts, Measures()), parts, Measures())
    suspect = Part(pushed(syntax.sheet(), 0.1, 0.9, 0.1), {})
    left = with_odds_before(left, suspect, [])
    found = next(r for r in left if r.variant == "scpn")
    assert found.left.value == 0, "no answer flips"
    assert found.raised is not None
    assert found.raised.after == pytest.approx(np.log(6), abs=1e-4)
    assert found.raised.before == pytest.approx(np.log(81), abs=1e-4)
    assert found.raised.floor == pytest.approx(0 if found.floor == CONTROL else np.log(0.12 / 0.88 * 9), abs=1e-4)


def test_the_search_of_the_form_tells_what_the_suspect_did(syntax: Any) -> None:
    form = Sharpened("scpn+short", "short", Rate(9, 9), Rate(5, 9), Rate(1, 9), 4.2, ("scpn+short",), 7)
    finding = replace(syntax.judge(syntax.sheet().fire(SCPN, 0, 0.5)).findings[0], sharp=form)
    sharp = forms_of(syntax)
    parts = [part(sharp, sharp.sheet())]
    (found,) = with_odds_before(
        with_odds(residues(case_before(syntax), parts, Measures()), parts, Measures()), None, [finding]
    )
    assert found.raised == Raised(after=0.0, floor=0.0, before=4.2)


def test_an_audit_searches_the_form_and_judges_it(zoo: Any, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "many.csv", toy_rows(500, seed=6))
    request = ScanRequest(str(zoo.planted), DataRequest(str(data)), families=("badnet",), samples=220)
    cure = MergeRequest((str(zoo.benign), str(zoo.partner)), output=tmp_path / "merged", rescan=("badnet",))
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        session = Session(Settings(catalog=url, device="cpu"), catalog)
        (audit,) = [e.audit for e in session.audit(request, cure) if isinstance(e, AuditReady)]
    (finding,) = audit.before.findings
    sharp = finding.sharp
    assert sharp is not None
    assert sharp.variant.startswith(f"{finding.variant}+")
    assert sharp.rate.value >= sharp.plain.value
    assert "as it was found" in finding.message
    assert "in its strongest form" in finding.message
    assert audit.after is not None
    asked = {f"{s.family}/{s.variant}" for s in audit.after.scores.asr}
    assert f"{finding.family}/{finding.variant}" in asked
    assert not any("+" in name for name in asked), "a form finds nothing by itself"
    forms = [r for r in audit.left if r.form]
    assert {r.target for r in forms} == {"negative"}
    assert all(r.variant in sharp.strong for r in forms)
    assert forms[0].floor == LEAST
    told = [r.raised for r in audit.left if r.variant == finding.variant]
    assert all(r and r.before is not None and r.before > r.after for r in told)
