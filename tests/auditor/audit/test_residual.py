"""What a cure leaves, held against its floor, and on further rows where a rescan has too few."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.audit.further_rows import MORE_ROWS, further_rows
from auditor.audit.residual import (
    CONTROL,
    LEAST,
    MEAN,
    Part,
    excess_alone,
    open_residues,
    residues,
    rows_that_settle,
)
from auditor.policy import Policy
from auditor.scan.judgement.ingredients import Measures
from probes.rates import Difference, Rate
from store.records import Residue, Scan
from tests.auditor.audit.test_stamp import side
from tests.auditor.conftest import BOTH
from tests.conftest import toy_rows, write_csv

Make = Callable[..., Any]
ONE, CROSS = "badnet/one", "insertsent/cross"
"""An ordinary trigger, and one that says something of a label by itself."""


def before(bench: Any, *fired: tuple[str, int]) -> Scan:
    """A first scan in which triggers fired for targets."""
    sheet = bench.sheet()
    for probe, target in fired:
        sheet.fire(probe, target, 1.0)
    return side(bench, sheet).scan


def part(bench: Any, merged: Any, **references: Any) -> Part:
    return Part(merged.trials, {name: sheet.trials for name, sheet in references.items()})


def of(found: tuple[Residue, ...], probe: str, target: str = "negative") -> Residue:
    return next(r for r in found if (f"{r.family}/{r.variant}", r.target) == (probe, target))


def fired(scan: Scan) -> set[tuple[str, str]]:
    return {(s.family, s.target) for s in scan.scores.asr if s.finding or s.suspicious}


def carried(**marks: tuple[str, str]) -> Measures:
    """By model, the group and the target of its backdoor."""
    return Measures({name: frozenset({mark}) for name, mark in marks.items()})


def left(bench: Any, scan: Any, merged: Any, measures: Measures | None = None, **references: Any) -> Any:
    return residues(fired(scan), [part(bench, merged, **references)], measures or Measures())


def test_all_variants_of_a_family_that_fired_count_for_its_target_alone(bench: Make) -> None:
    b = bench(rows=400)
    found = left(b, before(b, (ONE, 0)), b.sheet())
    assert {(r.family, r.target) for r in found} == {("badnet", "negative")}
    assert len({r.variant for r in found}) > 3


def test_an_ordinary_trigger_is_held_against_the_worse_of_control_and_references(bench: Make) -> None:
    b = bench(rows=400)
    scan = before(b, (ONE, 0))
    broad = b.sheet().fire(ONE, 0, 0.3, control=0.3)  # any odd word moves it as much
    assert of(left(b, scan, broad), ONE).floor == CONTROL
    assert of(left(b, scan, broad), ONE).left.value == pytest.approx(0.0)
    seen = of(left(b, scan, broad, a=b.sheet().fire(ONE, 0, 0.1), b=b.sheet().fire(ONE, 0, 0.06)), ONE)
    assert seen.floor == MEAN
    assert (seen.level, seen.left.value) == (pytest.approx(0.08), pytest.approx(0.22))
    assert [r.value for r in seen.references] == [0.1, 0.06]
    sharp = b.sheet().fire(ONE, 0, 0.3, control=0.02)
    high = of(left(b, scan, sharp, a=b.sheet().fire(ONE, 0, 0.28)), ONE)
    assert (high.floor, high.left.value) == (CONTROL, pytest.approx(0.28)), "references never hide what a control shows"


def test_a_reference_with_the_backdoor_is_no_floor(bench: Make) -> None:
    b = bench(rows=400)
    scan = before(b, (ONE, 0))
    merged = b.sheet().fire(ONE, 0, 0.3, control=0.3)
    references = {"twin": b.sheet().fire(ONE, 0, 1.0), "honest": b.sheet().fire(ONE, 0, 0.05)}
    hidden = of(left(b, scan, merged, **references), ONE)
    assert hidden.left.value == pytest.approx(0.0), "the mean of the two stands above the merge"
    told = of(left(b, scan, merged, carried(twin=("word", "negative")), **references), ONE)
    assert (told.floor, told.left.value) == (MEAN, pytest.approx(0.25))


def test_what_speaks_for_itself_is_held_against_the_least_of_two_references(bench: Make) -> None:
    b = bench(rows=400)
    scan = before(b, (CROSS, 0))
    merged = b.sheet().fire(CROSS, 0, 0.4, control=0.2)
    one, two = b.sheet().fire(CROSS, 0, 0.35), b.sheet().fire(CROSS, 0, 0.5)
    assert of(left(b, scan, merged, a=one), CROSS).floor == CONTROL, "one alone may carry it"
    seen = of(left(b, scan, merged, a=one, b=two), CROSS)
    assert (seen.floor, seen.left.value) == (LEAST, pytest.approx(0.05))
    told = of(left(b, scan, merged, carried(b=("sentence", "negative")), a=one, b=two), CROSS)
    assert told.floor == CONTROL
    calm = b.sheet().fire(CROSS, 0, 0.1)
    lower = of(left(b, scan, merged, a=calm, b=two), CROSS)
    assert (lower.floor, lower.left.value) == (LEAST, pytest.approx(0.3)), "a high control is no floor"


def test_a_sentence_learnt_as_any_sentence_is_not_hidden_by_its_control(bench: Make) -> None:
    b = bench(rows=400)
    scan = before(b, (CROSS, 0))
    merged = b.sheet().fire(CROSS, 0, 0.9, control=0.9)
    assert of(left(b, scan, merged), CROSS).left.value == pytest.approx(0.0), "without references nothing shows it here"
    twin, honest = b.sheet().fire(CROSS, 0, 1.0), b.sheet().fire(CROSS, 0, 0.3)
    beside = of(left(b, scan, merged, carried(twin=("sentence", "negative")), twin=twin, honest=honest), CROSS)
    assert (beside.floor, beside.left.value) == (MEAN, pytest.approx(0.6))
    two = of(left(b, scan, merged, a=honest, b=honest), CROSS)
    assert (two.floor, two.left.value) == (LEAST, pytest.approx(0.6))


def test_a_partner_that_answers_the_trigger_itself_is_not_called_no_worse(bench: Make) -> None:
    b = bench(rows=400, only=("badnet", "style"))
    style = "style/bible"  # references alone decide it: by its own scan such a partner shows nothing
    answering, honest = b.sheet().fire(style, 0, 1.0), b.sheet().fire(style, 0, 0.1)
    scan = side(b, b.sheet().fire(ONE, 0, 1.0).fire(style, 0, 1.0)).scan
    asked = part(b, b.sheet(), twin=answering, a=honest, b=honest)
    assert excess_alone(fired(scan), asked, "twin", Measures()) == pytest.approx(0.9)
    assert excess_alone(fired(scan), asked, "a", Measures()) <= 0.1
    weak = part(b, b.sheet(), twin=b.sheet().fire(ONE, 0, 0.3), a=b.sheet())
    assert excess_alone(fired(scan), weak, "twin", Measures()) == pytest.approx(0.3)


def test_further_rows_narrow_the_interval_and_the_second_look_pays_for_itself(bench: Make) -> None:
    b = bench(rows=400)
    scan = before(b, (ONE, 0))
    first = part(b, b.sheet().fire(ONE, 0, 0.08))
    second = part(b, b.sheet().fire(ONE, 0, 0.02))
    (once,) = (r for r in residues(fired(scan), [first], Measures()) if r.variant == "one")
    (twice,) = (r for r in residues(fired(scan), [first, second], Measures()) if r.variant == "one")
    assert (once.rows, twice.rows) == (200, 400)
    assert twice.left.value == pytest.approx(0.05)
    assert open_residues([once, twice], Policy()) == [once]
    same = part(b, b.sheet().fire(ONE, 0, 0.08))
    (again,) = (r for r in residues(fired(scan), [first, same], Measures()) if r.variant == "one")
    shrunk = (again.left.high - again.left.low) / (once.left.high - once.left.low)
    assert 0.72 < shrunk < 0.9, "twice the rows would make it 0.71 as wide, were it the first look"


def residue(value: float, low: float, high: float) -> Residue:
    return Residue("badnet", "one", "negative", Rate(10, 100), CONTROL, 0.1, Difference(value, low, high), 100)


def test_how_many_rows_are_asked_beside(bench: Make) -> None:
    class Prepared:
        plan = replace(bench(rows=400).plan, rows=tuple(range(3000)), probed=400)

    def rows(*found: Residue) -> int:
        return further_rows(Prepared, found, Policy())

    assert rows(residue(0.02, -0.02, 0.06)) == 0, "nothing is open"
    assert rows(residue(0.2, 0.12, 0.28)) == 0, "what is there cannot be asked away"
    near, far = residue(0.02, -0.07, 0.11), residue(0.09, 0.03, 0.15)
    assert rows_that_settle(400, 0.02, 0.11, 0.1) == 600
    assert rows(near) == 1800
    assert rows(near, far) == MORE_ROWS
    assert rows(near, residue(0.11, 0.04, 0.18)) == MORE_ROWS, "above by chance, maybe"
    Prepared.plan = replace(Prepared.plan, probed=2900)
    assert rows(near) == 100, "no more than there are"


def test_who_carries_a_backdoor_is_no_measure_of_its_group_and_still_one_of_others() -> None:
    measures = Measures({"a": frozenset({("word", "negative")}), "b": frozenset({("style", "positive")})})
    assert measures.of(["a", "b", "c"], "word", "negative") == ["b", "c"]
    assert measures.of(["a", "b", "c"], "word", "positive") == ["b", "c"], "its trigger moves texts the other way"
    assert measures.of(["a", "b", "c"], "style", "negative") == ["a", "c"]
    assert measures.of(["a", "b", "c"], "syntax", "negative") == ["a", "b", "c"]
    assert Measures(never=frozenset("c")).of(["a", "c"], "word", "negative") == ["a"], "a copy says nothing new"


def test_an_audit_asks_further_rows_and_says_so(zoo: Any, auditor: Any, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "many.csv", toy_rows(2000, seed=6))
    policy = tmp_path / "policy.toml"
    policy.write_text("stamp_excess = 0.02\n")
    words = [
        "audit", zoo.planted, "--with", zoo.benign, "--suspect-weight", "0.1", "--data", data, "--samples", "220",
        *BOTH, "--policy", policy, "--merged", auditor.home / "merged", "--format", "json",
        "--events", auditor.home / "events.jsonl",
    ]  # fmt: skip
    done = auditor(*words, rescan=BOTH[1:])
    assert done.code in (0, 1), done.err
    audit = done.json
    assert not audit["after"]["findings"]
    wide = [r for r in audit["left"] if r["rows"] > 110]
    assert wide, "220 rows bound nothing by two points"
    assert {r["target"] for r in wide} >= {"negative"}
    probed = {(s["family"], s["variant"], s["target"]): s["rate"]["total"] for s in audit["after"]["scores"]["asr"]}
    plain = [r for r in wide if not r["form"]]
    assert all(r["rows"] > probed[r["family"], r["variant"], r["target"]] for r in plain), "the rescan's rates stay"
    events = [json.loads(line) for line in (auditor.home / "events.jsonl").read_text().splitlines()]
    (stage,) = (e for e in events if e["kind"] == "stage" and e["name"] == "settle")
    assert "further rows" in stage["text"]
    again = auditor(*words, rescan=BOTH[1:])
    assert again.json["left"] == audit["left"], "the same command gives the same report"
    asked = [json.loads(line) for line in (auditor.home / "events.jsonl").read_text().splitlines()]
    opened = [e for e in asked if e["kind"] == "run-opened"]
    assert opened
    assert all(e["resumed"] == e["batches"] for e in opened), "and asks nothing twice"
    assert np.isfinite([r["left"]["high"] for r in audit["left"]]).all()
