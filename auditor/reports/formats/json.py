"""JSON: the keys that scripts rely on. Rates are fractions, rounded to six decimals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from auditor.events.log import plain
from auditor.reports.benchmarks import change_json, score_json
from auditor.reports.format import Record, report_format
from probes.input import Generate
from probes.rates import Difference, Rate
from probes.trigger import CUSTOM, Trigger
from store.records import (
    Alternatives,
    AsrScore,
    Audit,
    Evidence,
    FileCheck,
    Finding,
    Ingredient,
    Merge,
    ReferenceUse,
    Residue,
    Scan,
    Screened,
    Sharpened,
)

DECIMALS = 6


@report_format(title="JSON", extension="json")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """The record under its schema. Everything beyond ASCII is escaped, so that no text can command a terminal."""
    document = _audit(record) if isinstance(record, Audit) else _scan(record)
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _scan(scan: Scan) -> dict[str, Any]:
    model, data, settings = scan.model, scan.data, scan.settings
    return {
        "schema": "auditor/scan/1",
        "id": scan.id,
        "started": scan.started,
        "finished": scan.finished,
        "versions": _sorted(scan.versions),
        "model": {
            "reference": model.reference,
            "revision": model.revision,
            "digest": model.digest,
            "architecture": model.architecture,
            "task": model.task,
            "labels": model.labels,
            "parameters": model.parameters,
            "base": model.base,
            "read": plain(model.read),
        },
        "data": {
            "source": data.source,
            "digest": data.digest,
            "rows": data.rows,
            "labelled": data.labelled,
            "labels_from": data.labels_from,
            "read": plain(data.read),
        },
        **({"files": [_file(check) for check in scan.files.checks]} if scan.files else {}),
        "settings": {
            "seed": settings.seed,
            "device": settings.device,
            "dtype": settings.dtype,
            "max_length": settings.max_length,
            "suite": settings.suite,
            "samples": settings.samples,
            "families": {name: _sorted(options) for name, options in _sorted(settings.families).items()},
            "references": [_reference(use) for use in settings.references],
            **(_asking(settings.asking) if settings.asking else {}),
        },
        "scores": {
            "cacc": _rate(scan.scores.cacc) if scan.scores.cacc else None,
            "asr": [_score(score) for score in scan.scores.asr],
            "benchmarks": [score_json(score) for score in scan.scores.benchmarks],
        },
        "findings": [_finding(finding) for finding in scan.findings],
        "verdict": scan.verdict,
        "limits": scan.limits,
        "incomplete": scan.incomplete,
        "screened": [_screened(screened) for screened in scan.screened],
        **({"triggers": [_trigger(trigger) for trigger in scan.triggers]} if scan.triggers else {}),
    }


def _file(check: FileCheck) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "file": check.file,
        "outcome": check.outcome,
        "severity": check.severity,
        "message": check.message,
        "place": check.place,
        "hint": check.hint,
    }


def _asking(how: Generate) -> dict[str, Any]:
    """How a model that writes was asked."""
    decoding = {"tokens": how.tokens, "beams": how.beams, "temperature": how.temperature, "top_p": how.top_p}
    return {"template": how.template, "decoding": decoding}


def _trigger(trigger: Trigger) -> dict[str, Any]:
    """What a stored trigger is called by `--trigger`, and by the scores."""
    return {"id": trigger.id, "family": CUSTOM, "variant": trigger.variant, "kind": trigger.kind}


def _screened(screened: Screened) -> dict[str, Any]:
    return {
        "family": screened.family,
        "variant": screened.variant,
        "target": screened.target,
        "rate": _rate(screened.rate),
        "clean": _rate(screened.clean),
        "fired": screened.fired,
    }


def _reference(use: ReferenceUse) -> dict[str, Any]:
    agreement = {"agreement": _rate(use.agreement)} if use.agreement else {}
    return {"reference": use.reference, "digest": use.digest, "kind": use.kind, **agreement}


def _score(score: AsrScore) -> dict[str, Any]:
    return {
        "family": score.family,
        "variant": score.variant,
        "group": score.group,
        "target": score.target,
        "rate": _rate(score.rate),
        "clean": _rate(score.clean),
        "control": _rate(score.control),
        "references": [_rate(rate) for rate in score.references],
        "students": [_rate(rate) for rate in score.students],
        "excess": _difference(score.excess),
        "clean_excess": _difference(score.clean_excess),
        "floor_gap": _difference(score.floor_gap) if score.floor_gap else None,
        "p_value": score.p_value,
        "detectable": score.detectable,
        "finding": score.finding,
        "suspicious": score.suspicious,
        "judged": score.judged,
        "concentration": _rate(score.concentration) if score.concentration else None,
        "alternatives": _alternatives(score.alternatives) if score.alternatives else None,
    }


def _alternatives(found: Alternatives) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "rates": [_rate(rate) for rate in found.rates],
        "trigger": _rate(found.trigger),
        "highest": _rate(found.highest),
        "excess": _difference(found.excess),
        "rank": found.rank,
        "p": found.p_value,
        "log_odds": found.log_odds,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity,
        "family": finding.family,
        "variant": finding.variant,
        "group": finding.group,
        "target": finding.target,
        "message": finding.message,
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "reproduce": finding.reproduce,
        "tags": finding.tags,
        "confirmed": _rate(finding.confirmed) if finding.confirmed else None,
        "sharp": _sharpened(finding.sharp) if finding.sharp else None,
    }


def _sharpened(found: Sharpened) -> dict[str, Any]:
    return {
        "variant": found.variant,
        "words": found.words,
        "rate": _rate(found.rate),
        "plain": _rate(found.plain),
        "control": _rate(found.control),
        "raised": found.raised,
        "strong": found.strong,
        "asked": found.asked,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "text": evidence.text,
        "triggered": evidence.triggered,
        "before": evidence.before,
        "after": evidence.after,
        "before_probability": evidence.before_probability,
        "after_probability": evidence.after_probability,
    }


def _audit(audit: Audit) -> dict[str, Any]:
    return {
        "schema": "auditor/audit/1",
        "id": audit.id,
        "started": audit.started,
        "finished": audit.finished,
        "before": _scan(audit.before),
        "after": _scan(audit.after) if audit.after else None,
        "merge": _merge(audit.merge) if audit.merge else None,
        "change": [
            {"measure": str(c.measure), "before": c.before, "after": c.after, "delta": _difference(c.delta)}
            for c in audit.change
        ],
        "stamp": audit.stamp,
        "reasons": audit.reasons,
        "search": plain(audit.search) if audit.search else None,
        "left": [_residue(residue) for residue in audit.left],
        "ingredients": [_ingredient(ingredient) for ingredient in audit.ingredients],
        **({"benchmarks": [change_json(change) for change in audit.benchmarks]} if audit.benchmarks else {}),
    }


def _ingredient(found: Ingredient) -> dict[str, Any]:
    return {
        "reference": found.reference,
        "digest": found.digest,
        "scan": found.scan,
        "asked": found.asked,
        "clean": _rate(found.clean) if found.clean else None,
        "carried": [_finding(finding) for finding in found.carried],
        "left": [{**_residue(r), "floor": _rate(r.floor_rate or Rate(0, 0)), "above": r.floor} for r in found.left],
        **({"benchmarks": [score_json(score) for score in found.benchmarks]} if found.benchmarks else {}),
    }


def _merge(merge: Merge) -> dict[str, Any]:
    return {
        "strategy": merge.strategy,
        "options": _sorted(merge.options),
        "suspect": merge.suspect,
        "suspect_digest": merge.suspect_digest,
        "suspect_weight": merge.suspect_weight,
        "kept": merge.kept,
        "partners": [{"reference": p.reference, "digest": p.digest, "weight": p.weight} for p in merge.partners],
        "output": merge.output,
        "digest": merge.digest,
        "seconds": merge.seconds,
        "peak_bytes": merge.peak_bytes,
        "device": merge.device,
        "notes": merge.notes,
    }


def _residue(residue: Residue) -> dict[str, Any]:
    return {
        "family": residue.family,
        "variant": residue.variant,
        "target": residue.target,
        "rate": _rate(residue.rate),
        "floor": residue.floor,
        "level": residue.level,
        "left": _difference(residue.left),
        "rows": residue.rows,
        "references": [_rate(rate) for rate in residue.references],
        "group": residue.group,
        "judged": residue.judged,
        "before": _rate(residue.before) if residue.before else None,
        "form": residue.form,
        "raised": plain(residue.raised) if residue.raised else None,
    }


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval()
    return {
        "hits": rate.hits,
        "total": rate.total,
        "unscored": rate.unscored,
        "value": rate.value,
        "low": low,
        "high": high,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {"value": difference.value, "low": difference.low, "high": difference.high}


def _sorted(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(values.items()))


def _plain(value: Any) -> Any:
    """JSON's own types: floats are rounded and always floats; NaN and infinity, which JSON has not, are null."""
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, float):
        return round(float(value), DECIMALS) + 0.0 if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value)
