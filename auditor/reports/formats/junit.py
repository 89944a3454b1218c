"""JUnit XML, for build servers: a test case for each family, variant and target.

A case's `classname` begins with the model, since build servers know a case by `classname` and `name` over all files.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from auditor.reports.figures import difference_words
from auditor.reports.format import Record, report_format
from auditor.reports.selection import key
from auditor.reports.summary import (
    figures_sentence,
    read_facts,
    scan_facts,
    sign,
    stamp_sentence,
    title,
    verdict_sentence,
)
from auditor.visible import model_name, visible
from store.records import AsrScore, Audit, Scan, Stamp, Verdict


@dataclass(frozen=True, slots=True)
class _Case:
    """A test case: `passed`, `failure` (something was found) or `error` (not judged)."""

    classname: str
    name: str
    outcome: Literal["passed", "failure", "error"] = "passed"
    type: str = ""
    message: str = ""
    detail: str = ""


@report_format(title="JUnit XML", extension="xml")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """Failures are findings, errors what was not judged. An audit's suite is the scan after the cure, and its stamp."""
    scan = (record.after or record.before) if isinstance(record, Audit) else record
    suites = [
        _suite(
            f"auditor scan {scan.model.reference}",
            scan,
            _prefixed(record, [*_scored(scan), *_files(scan), _whole(scan)]),
        )
    ]
    if isinstance(record, Audit):
        stamped = _prefixed(record.before, [_stamped(record)])
        suites.append(_suite(f"auditor audit {record.before.model.reference}", record, stamped))
    root = ET.Element("testsuites", {"name": "auditor"} | _totals(suites))
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _prefixed(record: Record, cases: list[_Case]) -> list[_Case]:
    """The cases with the model before their class. A merged model is named by its suspect: its own place may change."""
    model = record.before.model.reference if isinstance(record, Audit) else record.model.reference
    merged = " after the merge" if isinstance(record, Audit) and record.after else ""
    return [replace(case, classname=f"{model_name(model)}{merged}.{case.classname}") for case in cases]


def _scored(scan: Scan) -> list[_Case]:
    messages = {(f.family, f.variant, f.target): f.message for f in scan.findings}
    cases = []
    for score in scan.scores.asr:
        name = f"target {score.target}"
        classname = f"{score.family}.{score.variant}"
        if not score.judged:
            cases.append(
                _Case(
                    classname, name, "error", "incomplete", "not judged: too few rows could be scored", _detail(score)
                )
            )
        elif score.finding or score.suspicious:
            message = messages.get(key(score)) or f"{sign(score)}: excess {difference_words(score.excess)} points"
            kind = "backdoor" if score.finding else "suspicious"
            cases.append(_Case(classname, name, "failure", kind, message, _detail(score)))
        else:
            cases.append(_Case(classname, name))
    return cases


def _files(scan: Scan) -> list[_Case]:
    """A case for each check of a file that found something or could not be made; one for all that passed."""
    if scan.files is None:
        return []
    cases = [
        _Case(
            f"files.{check.rule}",
            f"{check.file} {check.place}".rstrip(),
            "error" if check.outcome == "unreadable" else "failure",
            check.outcome,
            check.message,
            check.hint,
        )
        for check in scan.files.checks
        if check.outcome != "passed"
    ]
    return cases or [_Case("files", "every file was looked at, and nothing found")]


def _detail(score: AsrScore) -> str:
    return f"{figures_sentence(score)}; excess {difference_words(score.excess)} points"


def _whole(scan: Scan) -> _Case:
    if scan.incomplete or scan.verdict is Verdict.INCOMPLETE:
        reasons = "; ".join(scan.incomplete) or verdict_sentence(scan)
        return _Case("scan", "every part was judged", "error", "incomplete", reasons)
    return _Case("scan", "every part was judged")


def _stamped(audit: Audit) -> _Case:
    name = "the stamp is sanitised, or nothing was found"
    if audit.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE):
        return _Case("audit", name)
    if audit.stamp is None and audit.before.verdict is Verdict.NOTHING and not audit.before.incomplete:
        return _Case("audit", name)
    unjudged = audit.stamp is Stamp.NOT_JUDGED or (audit.stamp is None and audit.before.verdict is Verdict.INCOMPLETE)
    kind = audit.stamp.value if audit.stamp else "no-merge"
    message = f"{title(audit)}: {stamp_sentence(audit)}"
    return _Case("audit", name, "error" if unjudged else "failure", kind, message, "; ".join(audit.reasons))


def _suite(name: str, record: Record, cases: list[_Case]) -> ET.Element:
    counts = {outcome: sum(c.outcome == outcome for c in cases) for outcome in ("failure", "error")}
    suite = ET.Element(
        "testsuite",
        {
            "name": visible(name),
            "tests": str(len(cases)),
            "failures": str(counts["failure"]),
            "errors": str(counts["error"]),
            "skipped": "0",
            "timestamp": visible(record.started),
            "time": _seconds(record.started, record.finished),
        },
    )
    properties = ET.SubElement(suite, "properties")
    scanned = record.before if isinstance(record, Audit) else record
    for fact, value in (*scan_facts(scanned), *read_facts(scanned)):
        ET.SubElement(properties, "property", {"name": fact.lower(), "value": visible(value)})
    for case in cases:
        element = ET.SubElement(
            suite, "testcase", {"classname": visible(case.classname), "name": visible(case.name), "time": "0"}
        )
        if case.outcome != "passed":
            problem = ET.SubElement(element, case.outcome, {"type": case.type, "message": visible(case.message)})
            problem.text = visible(case.detail)
    return suite


def _totals(suites: list[ET.Element]) -> dict[str, str]:
    return {name: str(sum(int(s.get(name, "0")) for s in suites)) for name in ("tests", "failures", "errors")}


def _seconds(started: str, finished: str) -> str:
    try:
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except (ValueError, TypeError):
        return "0"
    return f"{max(took.total_seconds(), 0.0):.3f}"
