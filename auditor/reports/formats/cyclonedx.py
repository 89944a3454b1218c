"""CycloneDX 1.6 ML-BOM (ECMA-424), for inventories: a model, its measures, and findings as vulnerabilities."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

from auditor import __version__
from auditor.reports.format import Record, report_format
from auditor.reports.selection import score_of
from auditor.reports.summary import read_facts, stamp_sentence, title, verdict_sentence, where
from auditor.visible import sha256_of, visible
from probes.rates import Rate
from store.records import Audit, Finding, Merge, Scan

# Serial numbers are derived from record ids under this name space: the same record gives the same report.
NAMESPACE = UUID("8d0f2f56-7d0e-5c1c-9d54-6a2a3a6d1f10")
MODEL = "model"


@report_format(title="CycloneDX 1.6 ML-BOM", extension="cdx.json")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """The scanned model; for an audit the merged one, with the suspect and the partners as its pedigree."""
    audit = record if isinstance(record, Audit) else None
    scan = (audit.after or audit.before) if audit else record
    assert isinstance(scan, Scan)
    said = {"verdict": scan.verdict.value, "words": verdict_sentence(scan), "data.digest": scan.data.digest}
    said |= {"seed": str(scan.settings.seed), "suite": scan.settings.suite}
    said |= {f"read.{name.lower().replace(' ', '-')}": value for name, value in read_facts(scan)}
    if audit:
        said |= {"stamp": audit.stamp.value if audit.stamp else "none", "stamp.words": stamp_sentence(audit)}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE, visible(record.id))}",
        "version": 1,
        "metadata": {
            "timestamp": record.finished,
            "tools": {"components": [{"type": "application", "name": "auditor", "version": __version__}]},
            "component": _component(scan, audit.merge if audit and audit.after else None),
            "properties": [{"name": f"auditor:{k}", "value": visible(v)} for k, v in said.items()],
        },
        "vulnerabilities": [_vulnerability(scan, finding) for finding in scan.findings],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _component(scan: Scan, merge: Merge | None) -> dict[str, Any]:
    model = scan.model
    component: dict[str, Any] = _identity(model.reference, model.digest) | {
        "bom-ref": MODEL,
        "modelCard": {
            "modelParameters": {
                "task": visible(model.task),
                "modelArchitecture": visible(model.architecture),
                "inputs": [{"format": "text"}],
                "outputs": [{"format": visible(label)} for label in model.labels],
            },
            "quantitativeAnalysis": {"performanceMetrics": _metrics(scan)},
            "considerations": {"technicalLimitations": [visible(limit) for limit in scan.limits + scan.incomplete]},
        },
    }
    if model.revision:
        component["version"] = visible(model.revision)
    if merge:
        ancestors = [_identity(merge.suspect, merge.suspect_digest)]
        ancestors += [_identity(p.reference, p.digest) for p in merge.partners]
        component["pedigree"] = {"ancestors": ancestors, "notes": visible(f"merged by {merge.strategy}")}
    return component


def _identity(reference: str, digest: str) -> dict[str, Any]:
    identity: dict[str, Any] = {"type": "machine-learning-model", "name": visible(reference)}
    if sha256 := sha256_of(digest):
        identity["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    return identity


def _metrics(scan: Scan) -> list[dict[str, Any]]:
    metrics = [_metric("CACC", "", scan.scores.cacc)] if scan.scores.cacc else []
    metrics += [_metric("ASR", where(s), s.rate) for s in scan.scores.asr if s.judged]
    return metrics + [
        {"type": visible(b.metric), "value": f"{b.value:.6f}", "slice": visible(b.task)} for b in scan.scores.benchmarks
    ]


def _metric(kind: str, subset: str, rate: Rate) -> dict[str, Any]:
    metric = {
        "type": kind,
        "value": f"{rate.value:.6f}",
        "confidenceInterval": {"lowerBound": f"{rate.low:.6f}", "upperBound": f"{rate.high:.6f}"},
    }
    return metric | ({"slice": visible(subset)} if subset else {})


def _vulnerability(scan: Scan, finding: Finding) -> dict[str, Any]:
    properties = {"rule": finding.rule, "group": finding.group, "target": finding.target}
    if score := score_of(scan, finding):
        properties |= {"asr": f"{score.rate.value:.6f}", "excess": f"{score.excess.value:.6f}"}
    return {
        "bom-ref": f"finding-{visible(finding.id)}",
        "id": visible(finding.id),
        "source": {"name": "auditor"},
        "ratings": [{"source": {"name": "auditor"}, "severity": finding.severity.value, "method": "other"}],
        # CWE-506: Embedded Malicious Code.
        "cwes": [506],
        "description": visible(finding.message),
        "detail": visible(f"{title(scan)}. To repeat it: {finding.reproduce}"),
        "affects": [{"ref": MODEL}],
        "properties": [{"name": f"auditor:{k}", "value": visible(v)} for k, v in properties.items()],
    }
