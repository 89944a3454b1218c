"""The record of a finished scan."""

from __future__ import annotations

import platform
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from auditor import __version__
from auditor.data.rows import data_read
from auditor.scan.judgement.judge import Judgement
from auditor.scan.limits import limits_of
from auditor.scan.prepare import Prepared
from auditor.scan.screen import in_words as screened_in_words
from probes.family import CLASSIFIER, families_for
from store.records import (
    DataSummary,
    ModelRead,
    ModelSummary,
    Profile,
    ReferenceUse,
    Scan,
    ScanSettings,
    Scores,
    Verdict,
)

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy")


def refused(prepared: Prepared, started: str, reason: str) -> Scan:
    return record_of(prepared, started, Judgement(Scores(None, ()), (), Verdict.INCOMPLETE, (reason,)))


def record_of(prepared: Prepared, started: str, judgement: Judgement) -> Scan:
    request, plan = prepared.request, prepared.plan
    gold = any(row.label is not None for row in plan.rows)
    options = {p.family.name: dict(request.overrides.get(p.family.name, {})) for p in plan.suite.probes}
    return Scan(
        id=secrets.token_hex(6),
        started=started,
        finished=now(),
        versions=versions(),
        model=summary(prepared.suspect, model_read(prepared)),
        data=DataSummary(
            source=prepared.corpus.source,
            digest=plan.rows_digest,
            rows=len(plan.rows),
            labelled=gold,
            labels_from="gold" if gold else "prediction",
            read=replace(
                data_read(prepared.corpus),
                cut=prepared.cut,
                cut_at=prepared.window.limit if prepared.cut and prepared.window else 0,
            ),
        ),
        settings=ScanSettings(
            seed=request.seed,
            device=prepared.device,
            dtype=prepared.dtype,
            max_length=prepared.max_length,
            suite=request.suite,
            samples=plan.probed,
            families=options,
            references=tuple(ReferenceUse(p.ref.reference, p.ref.digest) for p in prepared.references),
        ),
        scores=judgement.scores,
        findings=judgement.findings,
        verdict=judgement.verdict,
        limits=limits_of(
            request=request,
            suite=plan.suite,
            known=list(families_for(CLASSIFIER)),
            corpus=prepared.corpus,
            rows=len(plan.rows),
            probed=plan.probed,
            gold=gold,
            device=prepared.device,
            dtype=prepared.dtype,
            stored_dtype=prepared.suspect.dtype,
            max_length=prepared.max_length,
            cut=prepared.cut,
            cut_at=prepared.window.limit if prepared.window else 0,
            screened=[f"{s.family}/{s.variant}" for s in prepared.screened],
            notes=(*screened_in_words(prepared.screened), *judgement.notes),
        ),
        incomplete=judgement.incomplete,
        screened=prepared.screened,
        triggers=prepared.triggers,
    )


def model_read(prepared: Prepared) -> ModelRead:
    """What of the suspect's files was read for a scan."""
    suspect, tokenizer = prepared.suspect, prepared.tokenizer
    stated = prepared.max_length >= suspect.max_length
    special = tokenizer.special(prepared.plan.inputs) if tokenizer else ""
    return replace(
        suspect.read,
        tokenizer=tokenizer.loaded if tokenizer else "",
        padding=tokenizer.padding.words() if tokenizer else "",
        notes=(*suspect.read.notes, *([special] if special else [])),
        window=prepared.max_length,
        window_from=suspect.read.window_from if stated else "--max-length",
    )


def summary(profile: Profile, read: ModelRead) -> ModelSummary:
    """The part of a profile that a report carries, with what was read of its files."""
    return ModelSummary(
        reference=profile.ref.reference,
        revision=profile.ref.revision,
        digest=profile.ref.digest,
        architecture=profile.architecture,
        task=str(profile.task),
        labels=profile.labels,
        parameters=profile.parameters,
        base=profile.base,
        read=read,
    )


def versions() -> dict[str, str]:
    """Versions of the program and of what decides its answers."""
    found = {"auditor": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
