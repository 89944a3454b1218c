"""SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), for code scanning services."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from auditor import __version__
from auditor.events.log import plain
from auditor.reports.figures import percent
from auditor.reports.format import Record, kind_of, report_format
from auditor.reports.selection import score_of
from auditor.reports.summary import ingredients_in_words, stamp_sentence, title, verdict_sentence
from auditor.visible import model_name, visible
from store.records import Audit, FileFinding, Finding, Scan, Severity, Stamp, Verdict

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
# GitHub orders alerts by this score, 0 to 10.
SECURITY = {"backdoor": "9.0", "suspicious": "6.0", "incomplete": "3.0", "file": "7.0"}
RULES = {
    "backdoor": (
        "BackdoorFound",
        "The model obeys a trigger",
        "A known kind of trigger moves rows to the target label, well beyond no edit and beyond the same edit with "
        "harmless material. Do not deploy the model; `auditor audit` merges it away and measures what remains.",
        "error",
    ),
    "suspicious": (
        "Suspicious",
        "An edit moves the model, and so does a harmless one",
        "A trigger moves rows to the target label, but its control does so too. Two or more benign reference models "
        "(`--reference`) can settle whether it is a backdoor.",
        "warning",
    ),
    "incomplete": (
        "Incomplete",
        "A part of the suite was not judged",
        "Too few rows could be scored, or the model gave no usable answers. What was not judged is not known to be "
        "harmless; give more rows with `--samples` or `--data`.",
        "warning",
    ),
    "file": (
        "ModelFile",
        "A file of the model could harm whoever loads it, or hides what the model does",
        "A file beside the weights, or the weights' own file, holds code, contradicts another one, or is not what it "
        "says. It was parsed and not loaded; settle it before anybody loads it. `auditor files` says where it stands.",
        "warning",
    ),
}
ALWAYS = ("backdoor", "suspicious", "incomplete")
"""The rules that every run lists; that of files stands where files were looked at."""


@report_format(title="SARIF 2.1.0", extension="sarif")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """One run: the scan's results, for an audit those that remain after the cure, and its stamp."""
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(record)]}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _run(record: Record) -> dict[str, Any]:
    scan = (record.after or record.before) if isinstance(record, Audit) else record
    properties: dict[str, Any] = {
        "verdict": scan.verdict.value,
        "digest": scan.model.digest,
        "dataDigest": scan.data.digest,
        "seed": scan.settings.seed,
        "suite": scan.settings.suite,
        "versions": dict(sorted(scan.versions.items())),
        "limits": list(scan.limits),
        "modelRead": plain(scan.model.read),
        "dataRead": plain(scan.data.read),
    }
    if isinstance(record, Audit):
        properties |= {
            "stamp": record.stamp.value if record.stamp else None,
            "reasons": list(record.reasons),
            "suspect": record.before.model.reference,
            "suspectDigest": record.before.model.digest,
            "verdictBefore": record.before.verdict.value,
            "ingredients": [
                {"model": visible(i.name), "carried": visible(i.carried), "left": visible(i.left)}
                for i in ingredients_in_words(record)
            ],
        }
    return {
        "tool": {
            "driver": {
                "name": "auditor",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in RULES if rule in ALWAYS or scan.files is not None],
                "notifications": [
                    {"id": "verdict", "shortDescription": {"text": "What the scan or the audit says as a whole"}},
                    {"id": "incomplete", "shortDescription": {"text": "A part that was not judged"}},
                ],
            }
        },
        "automationDetails": {"id": f"{_category(record)}{quote(visible(record.id), safe='')}"},
        "invocations": [_invocation(record, scan)],
        "artifacts": [
            {"location": {"uri": _uri(scan)}, "roles": ["analysisTarget"], "properties": {"digest": scan.model.digest}}
        ],
        "results": _results(scan),
        "properties": properties,
    }


def _category(record: Record) -> str:
    """What a code scanning service keeps apart: up to the last slash of the run's id.

    An upload closes the alerts of the earlier ones of its category, so that each model needs its own; it is the same
    for every scan of the model, whatever its rates, its seed and the versions.
    """
    scan = record.before if isinstance(record, Audit) else record
    return f"auditor/{kind_of(record)}/{model_name(scan.model.reference)}/"


def _rule(name: str) -> dict[str, Any]:
    pascal, short, full, level = RULES[name]
    return {
        "id": name,
        "name": pascal,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": full},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security", "machine-learning"], "security-severity": SECURITY[name]},
    }


def _invocation(record: Record, scan: Scan) -> dict[str, Any]:
    incomplete = bool(scan.incomplete) or scan.verdict is Verdict.INCOMPLETE
    if isinstance(record, Audit):
        unjudged = record.before.incomplete or record.before.verdict is Verdict.INCOMPLETE
        incomplete = incomplete or bool(unjudged) or record.stamp is Stamp.NOT_JUDGED
        said = f"{title(record)}: {stamp_sentence(record)}"
    else:
        said = verdict_sentence(record)
    notifications = [{"level": "note", "descriptor": {"id": "verdict", "index": 0}, "message": _message(said)}]
    notifications += [
        {"level": "error", "descriptor": {"id": "incomplete", "index": 1}, "message": _message(reason)}
        for reason in scan.incomplete
    ]
    invocation: dict[str, Any] = {"executionSuccessful": not incomplete}
    for name, moment in (("startTimeUtc", record.started), ("endTimeUtc", record.finished)):
        if utc := _utc(moment):
            invocation[name] = utc
    return invocation | {"toolExecutionNotifications": notifications}


def _results(scan: Scan) -> list[dict[str, Any]]:
    results = [_result(scan, finding) for finding in scan.findings]
    reasons = scan.incomplete or (("a part was not judged",) if scan.verdict is Verdict.INCOMPLETE else ())
    return results + [_base(scan, "incomplete", "warning", f"Not judged: {r}", r) for r in reasons]


def _result(scan: Scan, finding: Finding) -> dict[str, Any]:
    rule = finding.rule if finding.rule in RULES else "suspicious"
    subject = f"{finding.group}\n{finding.target}"
    if isinstance(finding, FileFinding):
        rule, subject = "file", f"{finding.rule}\n{finding.file}\n{finding.place}"
    result = _base(scan, rule, LEVELS[finding.severity], finding.message, subject)
    properties: dict[str, Any] = {
        "id": finding.id,
        "severity": finding.severity.value,
        "family": finding.family,
        "variant": finding.variant,
        "group": finding.group,
        "target": finding.target,
        "reproduce": finding.reproduce,
        "tags": list(dict.fromkeys(finding.tags)),
        "evidence": [
            {"text": e.text, "triggered": e.triggered, "before": e.before, "after": e.after} for e in finding.evidence
        ],
    }
    if score := score_of(scan, finding):
        properties |= {
            "asr": round(score.rate.value, 6),
            "asrInterval": [round(score.rate.low, 6), round(score.rate.high, 6)],
            "asrWords": f"{percent(score.rate.value)}, {score.rate.hits}/{score.rate.total}",
            "control": round(score.control.value, 6),
            "clean": round(score.clean.value, 6),
            "excess": round(score.excess.value, 6),
        }
    return result | {"properties": properties}


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _base(scan: Scan, rule: str, level: str, message: str, subject: str) -> dict[str, Any]:
    # The counts in a reason change from scan to scan; what it says stays.
    lasting = _fingerprint(model_name(scan.model.reference), rule, re.sub(r"\d+(?:[.,]\d+)*", "#", subject))
    return {
        "ruleId": rule,
        "ruleIndex": list(RULES).index(rule),
        "level": level,
        "message": _message(message),
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(scan), "index": 0}},
                "logicalLocations": [
                    {
                        "name": visible(scan.model.reference),
                        "fullyQualifiedName": visible(f"{scan.model.reference}@{scan.model.digest}"),
                        "kind": "module",
                    }
                ],
            }
        ],
        "partialFingerprints": {
            "auditorFinding/v1": _fingerprint(scan.model.digest, rule, subject),
            "auditorFinding/v2": lasting,
        },
    }


def _message(text: str) -> dict[str, str]:
    """A plain text message; what SARIF would read as a placeholder (`{0}`) or as a link (`[a](b)`) is escaped."""
    return {"text": re.sub(r"\{(\d+)\}", r"{{\1}}", visible(text)).replace("](", "\\](")}


def _uri(scan: Scan) -> str:
    """The model's reference as a relative or path-absolute URI reference, whatever characters it holds."""
    reference = scan.model.reference.replace("\\", "/")
    uri = quote(reference.encode("utf-8", "backslashreplace"), safe="/@")
    return "/" + uri.lstrip("/") if uri.startswith("/") else uri or "model"


def _utc(moment: str) -> str | None:
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
