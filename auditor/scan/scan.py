"""One suite on one model: ask, judge, and make the record."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from auditor.events import Event, ScanReady, ScoreReady, Stage, Warned
from auditor.scan.asking import label_keys, respond, retold
from auditor.scan.base import beside_base
from auditor.scan.benched import benched
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.head import MULTI_LABEL
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.judgement.compared import Comparisons
from auditor.scan.judgement.judge import Judgement, judge
from auditor.scan.judgement.judging import not_judgeable
from auditor.scan.judgement.students import agreement, knows, unlike_in_words
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import Plan
from auditor.scan.prepare import Prepared
from auditor.scan.record import now, record_of, refused
from auditor.scan.screen import screen
from auditor.scan.second_look import second_look
from auditor.scan.sharpen import sharpen
from store.records import (
    ModelSummary,
    Profile,
    ReferenceUse,
    Scan,
    Verdict,
)


def scan(prepared: Prepared, backend: Backend) -> Generator[Event, None, ScanResult]:
    """Probes the suspect and its references, and judges.

    The last event is the finished scan's.
    """
    started = now()
    refusal = not_judgeable(prepared.suspect)
    if refusal:
        record = refused(prepared, started, refusal)
        yield ScanReady(record)
        return ScanResult(record, None, ())
    backend.keep_rows(prepared.plan.rows_digest, prepared.plan.rows)
    yield from opening(prepared)
    prepared = yield from screen(prepared, backend)
    role = Role.SUSPECT if prepared.fixed is None else Role.AFTER
    suspect = yield from respond(prepared, prepared.suspect, role, backend)
    others = []
    for profile in prepared.references:
        others.append((yield from respond(prepared, profile, Role.REFERENCE, backend)))
    beside = yield from beside_base(prepared, backend)
    if beside is not None:
        prepared, others = beside.prepared, [*others, beside.trials]
    compared = yield from second_look(prepared, prepared.suspect, suspect, others, backend)
    narrow = beside.narrow if beside else None
    result = conclude(prepared, started, suspect, others, narrow=narrow, compared=compared)
    # A rescan measures the forms of what was found before.
    if prepared.fixed is None:
        result = replace(result, record=(yield from sharpen(prepared, result.record, backend)))
    result = replace(result, record=(yield from benched(prepared, result.record, backend)))
    for score in result.record.scores.asr:
        yield ScoreReady(score)
    yield ScanReady(result.record)
    return result


@dataclass(frozen=True)
class ScanResult:
    """A scan's record with the answers behind it (None where the model could not be judged at all)."""

    record: Scan
    suspect: Trials | None
    references: tuple[Trials, ...]


def conclude(
    prepared: Prepared,
    started: str,
    suspect: Trials,
    references: Sequence[Trials],
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
    suspect, *others_told = (retold(prepared, trials) for trials in (suspect, *references))
    quality = prepared.judging.quality(suspect, prepared.policy, _too_long(prepared, suspect))
    unjudged = (*prepared.unjudged, *_head_unjudged(prepared.suspect, suspect))
    judgement = _with_unjudged(judge(suspect, others_told, quality, prepared.policy, compared), unjudged)
    answered = list(zip(prepared.references, others_told, strict=True))
    others = [f"{p.ref.reference}: {n}" for p, r in answered for n in r.notes]
    others += [
        unlike_in_words(p.ref.reference, agreement(suspect, r))
        for p, r in answered
        if r.student and not knows(suspect, r, prepared.policy)
    ]
    record = record_of(prepared, started, replace(judgement, notes=(*judgement.notes, *others)))
    notes = tuple(note for note in suspect.notes if note != MULTI_LABEL)
    record = replace(record, model=_noted(record.model, notes))
    uses = tuple(_use(profile, trials, suspect) for profile, trials in answered)
    record = replace(record, settings=replace(record.settings, references=uses))
    keys = [RunSpec.of(prepared.load(prepared.suspect)).key(prepared.plan)]
    for profile, answers in answered:
        asked = prepared.plan if narrow is None or answers.probes.keys() == suspect.probes.keys() else narrow
        keys.append(RunSpec.of(prepared.load(profile)).key(asked))
    keys += label_keys(prepared, prepared.suspect)
    record = replace(record, runs=tuple(keys), reference_labels=prepared.judging.recorded(suspect))
    return ScanResult(record, suspect, tuple(others_told))


def _use(profile: Profile, trials: Trials, suspect: Trials) -> ReferenceUse:
    found = ReferenceUse(profile.ref.reference, profile.ref.digest)
    if not trials.student:
        return found
    return replace(found, kind="student", agreement=agreement(suspect, trials))


def _too_long(prepared: Prepared, suspect: Trials) -> frozenset[int]:
    """The places of the asks that were not scored since they have more tokens than the model takes."""
    if prepared.tokenizer is None:
        return frozenset()
    unscored = sorted(set(suspect.unscored.tolist()))
    counts = prepared.tokenizer.count([prepared.plan.inputs[place] for place in unscored])
    return frozenset(p for p, tokens in zip(unscored, counts, strict=True) if tokens > prepared.max_length)


def _head_unjudged(profile: Profile, answers: Trials) -> tuple[str, ...]:
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
