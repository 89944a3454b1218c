"""One suite on one model: ask, judge, and make the record."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from auditor import __version__
from auditor.data.rows import data_read
from auditor.events import Event, ScanReady, ScoreReady, Stage, Warned
from auditor.scan.asking import question_of, respond
from auditor.scan.execution.head import MULTI_LABEL
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.judgement.compared import Comparisons
from auditor.scan.judgement.judge import Judgement, judge
from auditor.scan.judgement.students import agreement, knows, unlike_in_words
from auditor.scan.judgement.trials import Responses
from auditor.scan.limits import limits_of
from auditor.scan.plan import Plan
from auditor.scan.prepare import Backend, Prepared, not_judgeable
from auditor.scan.screen import in_words as screened_in_words
from auditor.scan.screen import screen
from auditor.scan.second_look import second_look
from auditor.scan.sharpen import sharpen
from probes.family import FAMILIES
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


def scan(prepared: Prepared, backend: Backend) -> Generator[Event, None, ScanResult]:
    """Probes the suspect and its references, and judges.

    The last event is the finished scan's.
    """
    started = now()
    refusal = not_judgeable(prepared.suspect)
    if refusal:
        record = _refused(prepared, started, refusal)
        yield ScanReady(record)
        return ScanResult(record, None, ())
    backend.keep_rows(prepared.plan.rows_digest, prepared.plan.rows)
    yield from opening(prepared)
    prepared = yield from screen(prepared, backend)
    role = Role.AFTER if prepared.fixed_labels else Role.SUSPECT
    suspect = yield from respond(prepared, prepared.suspect, role, backend)
    others = []
    for profile in prepared.references:
        others.append((yield from respond(prepared, profile, Role.REFERENCE, backend)))
    compared = yield from second_look(prepared, prepared.suspect, suspect, others, backend)
    result = conclude(prepared, started, suspect, others, compared=compared)
    # A rescan measures the forms of what was found before.
    if not prepared.fixed_labels:
        result = replace(result, record=(yield from sharpen(prepared, result.record, backend)))
    for score in result.record.scores.asr:
        yield ScoreReady(score)
    yield ScanReady(result.record)
    return result


@dataclass(frozen=True)
class ScanResult:
    """A scan's record with the answers behind it (None where the model could not be judged at all)."""

    record: Scan
    suspect: Responses | None
    references: tuple[Responses, ...]


def conclude(
    prepared: Prepared,
    started: str,
    suspect: Responses,
    references: Sequence[Responses],
    *,
    narrow: Plan | None = None,
    compared: Comparisons = MappingProxyType({}),
) -> ScanResult:
    """Judges the answers and makes the record.

    Args:
        references: one a reference of the scan; the last ones may have answered the `narrow` plan alone.
        narrow: the part of the plan that references alone decide.
        compared: what was held against its own kind.
    """
    question = replace(question_of(prepared, suspect.clean), too_long=_too_long(prepared, suspect))
    unjudged = (*prepared.unjudged, *_head_unjudged(prepared.suspect, suspect))
    judgement = _with_unjudged(judge(question, suspect, references, prepared.policy, compared), unjudged)
    answered = list(zip(prepared.references, references, strict=True))
    others = [f"{p.ref.reference}: {n}" for p, r in answered for n in r.notes]
    others += [
        unlike_in_words(p.ref.reference, agreement(suspect, r))
        for p, r in answered
        if r.student and not knows(suspect, r, prepared.policy)
    ]
    record = _record(prepared, started, replace(judgement, notes=(*judgement.notes, *others)))
    notes = tuple(note for note in suspect.notes if note != MULTI_LABEL)
    record = replace(record, model=_noted(record.model, notes))
    uses = tuple(_use(profile, responses, suspect) for profile, responses in answered)
    record = replace(record, settings=replace(record.settings, references=uses))
    keys = [RunSpec.of(prepared.load(prepared.suspect)).key(prepared.plan)]
    for profile, answers in answered:
        asked = prepared.plan if narrow is None or answers.probes.keys() == suspect.probes.keys() else narrow
        keys.append(RunSpec.of(prepared.load(profile)).key(asked))
    record = replace(record, runs=tuple(keys), reference_labels=tuple(question.reference_labels.tolist()))
    return ScanResult(record, suspect, tuple(references))


def _use(profile: Profile, responses: Responses, suspect: Responses) -> ReferenceUse:
    found = ReferenceUse(profile.ref.reference, profile.ref.digest)
    if not responses.student:
        return found
    return replace(found, kind="student", agreement=agreement(suspect, responses))


def _too_long(prepared: Prepared, suspect: Responses) -> frozenset[int]:
    """The places of the asks that were not scored since they have more tokens than the model takes."""
    if prepared.tokenizer is None:
        return frozenset()
    unscored = sorted(suspect.unscored)
    counts = prepared.tokenizer.count([prepared.plan.asks[place] for place in unscored])
    return frozenset(p for p, tokens in zip(unscored, counts, strict=True) if tokens > prepared.max_length)


def _head_unjudged(profile: Profile, answers: Responses) -> tuple[str, ...]:
    """That the head may not be for one label a text, where the config does not say that it is."""
    if MULTI_LABEL not in answers.notes or profile.problem_type is not None:
        return ()
    return (f"{profile.ref.reference}: {MULTI_LABEL}",)


def _noted(model: ModelSummary, notes: tuple[str, ...]) -> ModelSummary:
    """The part of a report that tells of a model, with what is to be said of how it was asked."""
    return replace(model, read=replace(model.read, notes=(*model.read.notes, *notes)))


def _with_unjudged(judgement: Judgement, reasons: tuple[str, ...]) -> Judgement:
    """A judgement beside which something was not judged: a finding stays one, but there is no "nothing found"."""
    if not reasons:
        return judgement
    verdict = Verdict.INCOMPLETE if judgement.verdict is Verdict.NOTHING else judgement.verdict
    return replace(judgement, verdict=verdict, incomplete=(*reasons, *judgement.incomplete))


def opening(prepared: Prepared) -> Generator[Event, None, None]:
    """What is to be said before a scan begins: of its rows, and of its references."""
    for note in prepared.corpus.notes:
        yield Stage("rows", note)
    for note in prepared.notes:
        yield Warned(note)


def _refused(prepared: Prepared, started: str, reason: str) -> Scan:
    return _record(prepared, started, Judgement(Scores(None, ()), (), Verdict.INCOMPLETE, (reason,)))


def _record(prepared: Prepared, started: str, judgement: Judgement) -> Scan:
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
            known=list(FAMILIES),
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
    )


def model_read(prepared: Prepared) -> ModelRead:
    """What of the suspect's files was read for a scan."""
    suspect, tokenizer = prepared.suspect, prepared.tokenizer
    stated = prepared.max_length >= suspect.max_length
    special = tokenizer.special(prepared.plan.asks) if tokenizer else ""
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
