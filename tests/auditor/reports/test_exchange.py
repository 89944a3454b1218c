"""SARIF, JUnit and CycloneDX: what the programs that read them rely on."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from auditor.reports.format import FORMATS
from probes.rates import Rate
from store.records import Audit, Scan

Records = dict[str, Scan | Audit]


def render(name: str, record: Scan | Audit) -> str:
    return FORMATS[name].render(record)


def test_sarif_has_what_its_schema_requires(record: Scan | Audit) -> None:
    document = json.loads(render("sarif", record))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["backdoor", "suspicious", "incomplete"]
    assert run["automationDetails"]["id"]
    scan = (record.after or record.before) if isinstance(record, Audit) else record
    assert len(run["results"]) == len(scan.findings) + len(scan.incomplete)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9\-._~/@%]+", uri)
        assert location["logicalLocations"][0]["name"]
        assert re.fullmatch(r"[0-9a-f]{64}", result["partialFingerprints"]["auditorFinding/v1"])
        tags = result.get("properties", {}).get("tags", [])
        assert len(tags) == len(set(tags))
    (invocation,) = run["invocations"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", invocation["startTimeUtc"])
    assert run["properties"].get("stamp") == (record.stamp if isinstance(record, Audit) else None)


def test_sarif_execution_fails_where_something_was_not_judged(records: Records) -> None:
    def successful(name: str) -> bool:
        run = json.loads(render("sarif", records[name]))["runs"][0]
        return bool(run["invocations"][0]["executionSuccessful"])

    good, bad = ("found", "nothing", "stamp-improved"), ("incomplete", "found-and-incomplete", "stamp-not-judged")
    assert [successful(n) for n in (*good, *bad)] == [True] * 3 + [False] * 3


def test_sarif_levels_and_fingerprints(records: Records) -> None:
    def results(name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(render("sarif", records[name]))["runs"][0]["results"]
        return found

    assert results("found")[0]["level"] == "error"
    assert results("suspicious")[0]["level"] == "warning"
    prints = {
        r["partialFingerprints"]["auditorFinding/v1"] for n in ("found", "suspicious", "incomplete") for r in results(n)
    }
    assert len(prints) == 3
    assert results("found")[0]["properties"]["asr"] == 0.975
    assert "{{0}}" in results("hostile")[0]["message"]["text"], "a placeholder in a message is escaped"


def test_junit_counts_match_its_cases(record: Scan | Audit) -> None:
    root = ET.fromstring(render("junit", record))
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "")) == len(suite.findall("testcase/error"))
        for case in cases:
            assert case.get("classname")
            assert case.get("name")
    assert int(root.get("tests", "")) == len(root.findall("testsuite/testcase"))


@pytest.mark.parametrize(
    ("name", "failures", "errors"),
    [
        ("found", 1, 0),
        ("suspicious", 1, 0),
        ("nothing", 0, 0),
        ("incomplete", 0, 5),
        ("found-and-incomplete", 1, 1),
        ("stamp-sanitised", 0, 0),
        ("stamp-improved", 1, 0),
        ("stamp-not-sanitised", 2, 0),
        ("stamp-not-applicable", 0, 0),
        ("stamp-not-judged", 0, 1),
        ("no-partner", 2, 0),
        ("nothing-to-cure", 0, 0),
    ],
)
def test_junit_fails_for_findings_and_errs_for_what_was_not_judged(
    name: str, failures: int, errors: int, records: Records
) -> None:
    root = ET.fromstring(render("junit", records[name]))
    assert (int(root.get("failures", "")), int(root.get("errors", ""))) == (failures, errors)


def test_cyclonedx_names_model_measures_and_vulnerabilities(record: Scan | Audit) -> None:
    bom = json.loads(render("cyclonedx", record))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", bom["serialNumber"]
    )
    component = bom["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": "3f9a" * 16}]
    scan = (record.after or record.before) if isinstance(record, Audit) else record
    assert len(bom["vulnerabilities"]) == len(scan.findings)
    assert all(v["affects"] == [{"ref": component["bom-ref"]}] for v in bom["vulnerabilities"])
    assert ("pedigree" in component) == (isinstance(record, Audit) and record.after is not None)


def named(record: Scan | Audit, reference: str, **changes: Any) -> Scan | Audit:
    """The same report of another model."""
    if isinstance(record, Audit):
        before = replace(record.before, model=replace(record.before.model, reference=reference))
        return replace(record, before=before, **changes)
    return replace(record, model=replace(record.model, reference=reference), **changes)


MODELS = (
    "acme/reviews", "acme/reviews@0123abcd", "acme/news", "/models/reviews", "models/reviews", "../reviews", "reviews",
    "a b", "a%20b", "a\\b", "a\nb", "a\u202eb", "a?b#c", "\udcff", "\ud800", "モデル", "é", "e\u0301",
)  # fmt: skip


def category(record: Scan | Audit) -> str:
    """What GitHub keeps apart: the run's id up to its last slash."""
    run_id: str = json.loads(render("sarif", record))["runs"][0]["automationDetails"]["id"]
    return run_id.rpartition("/")[0]


@pytest.mark.parametrize("name", ["found", "stamp-improved"])
def test_sarif_of_two_models_has_two_categories(name: str, records: Records) -> None:
    """An upload closes the alerts of the earlier one of its category."""
    found = [category(named(records[name], model)) for model in MODELS]
    assert len(set(found)) == len(MODELS)
    assert all(re.fullmatch(r"auditor/(scan|audit)/[A-Za-z0-9\-._~/@%]+", c) for c in found)
    assert category(records["found"]) != category(records["stamp-improved"])
    run_id = json.loads(render("sarif", named(records["hostile"], "a/b")))["runs"][0]["automationDetails"]["id"]
    assert run_id.startswith("auditor/scan/a/b/")
    hostile = json.loads(render("sarif", replace(records["found"], id="x/../y z")))["runs"][0]["automationDetails"]
    assert hostile["id"].count("/") == category(records["found"]).count("/") + 1


def test_sarif_ids_last_over_rates_seeds_and_versions(records: Records) -> None:
    first = records["found-and-incomplete"]
    assert isinstance(first, Scan)
    later = replace(
        first,
        id="s-0002",
        started="2026-04-01T10:00:00+00:00",
        versions={"torch": "3.0"},
        settings=replace(first.settings, seed=7, samples=400),
        scores=replace(first.scores, asr=tuple(replace(s, rate=Rate(300, 400)) for s in first.scores.asr)),
        model=replace(first.model, digest="ab" * 32),
        incomplete=("17 answers were NaN",),
    )
    assert category(first) == category(later) == category(named(first, "./acme/reviews/"))

    def lasting(record: Scan | Audit) -> list[str]:
        results = json.loads(render("sarif", record))["runs"][0]["results"]
        return [r["partialFingerprints"]["auditorFinding/v2"] for r in results]

    assert lasting(first) == lasting(later)
    assert len(set(lasting(first))) == 2
    assert not set(lasting(first)) & set(lasting(named(first, "acme/news")))


def cases(record: Scan | Audit) -> list[tuple[str, str]]:
    root = ET.fromstring(render("junit", record))
    return [(case.get("classname", ""), case.get("name", "")) for case in root.iter("testcase")]


@pytest.mark.parametrize("name", ["found", "stamp-improved", "no-partner", "hostile", "hostile-audit"])
def test_junit_cases_of_two_models_are_never_equal(name: str, records: Records) -> None:
    found = [case for model in MODELS for case in cases(named(records[name], model))]
    assert len(found) == len(set(found)) == len(MODELS) * len(cases(records[name]))


def test_junit_cases_last_over_rates_seeds_and_the_place_of_the_merged_model(records: Records) -> None:
    first = records["found"]
    assert isinstance(first, Scan)
    later = replace(first, id="x", versions={}, settings=replace(first.settings, seed=7), scores=replace(
        first.scores, asr=tuple(replace(s, rate=Rate(1, 400), finding=False) for s in first.scores.asr)))  # fmt: skip
    assert cases(first) == cases(later)
    assert ("acme/reviews.badnet.paper", "target negative") in cases(first)
    audit = records["stamp-improved"]
    assert isinstance(audit, Audit)
    assert audit.after is not None
    moved = replace(audit, after=named(audit.after, "out/elsewhere"))
    assert cases(moved) == cases(audit)
    assert not set(cases(audit)) & set(cases(first)), "the merged model is another one than the suspect"
