"""The rescan of a merged model, beside everything that it was made of."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from auditor.audit.opening import Opening, quality_in, with_references
from auditor.audit.residual import Part
from auditor.events import Event, ScanReady, ScoreReady
from auditor.models.files.sameness import same_weights
from auditor.scan.asking import respond
from auditor.scan.benched import benched
from auditor.scan.checks import audience_of
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.ingredients import Measures, Ring, judge_ring
from auditor.scan.judgement.judging import not_judgeable
from auditor.scan.plan import plan_with
from auditor.scan.prepare import Prepared, family_options, unjudged
from auditor.scan.record import now
from auditor.scan.scan import ScanResult, conclude, opening, scan
from auditor.scan.second_look import second_look
from probes.answer import Answers
from probes.suite import build_suite
from store.records import Profile

FULL = "full"


@dataclass(frozen=True)
class Rescan:
    """A merged model's scan, and all models that it was made of beside each other on the same rows.

    `part` is None where the merged model could not be judged.
    """

    asked: Prepared
    result: ScanResult
    ring: Ring
    measures: Measures
    part: Part | None


def prepare_rescan(
    prepared: Prepared,
    partners: Sequence[Profile],
    families: tuple[str, ...],
    fixed: Answers,
    merged: Profile,
    backend: Backend,
) -> Prepared:
    """The full suite, and what was asked for by name, on the merged model: the same rows, reference labels, seed,
    options and references, and the suspect as one more of these: it tells what a model without them does with the
    backdoors of its partners. A model that is the merged one, since nothing else has a part in it, is no reference.

    Args:
        fixed: the answers that the first scan held its rows against.
    """
    overrides = family_options(prepared.request, prepared.policy, audience_of(prepared.suspect))
    request = replace(prepared.request, suite=FULL, families=families, target=None, overrides=overrides)
    suite = build_suite(
        FULL,
        only=families,
        overrides=overrides,
        referenced=prepared.judged_by_references,
        also=(*prepared.request.families, *_fired_by_screen(prepared)),
        triggers=prepared.triggers,
        audience=audience_of(prepared.suspect),
    )
    plan = prepared.plan
    if prepared.plan.suite != suite:
        plan = plan_with(suite, plan, prepared.device)
    asked = with_references(
        replace(prepared, request=request), [*partners, prepared.suspect], model=str(merged.ref.path)
    )
    tokenizer = prepared.tokenizer and backend.tokenizer(merged)
    return replace(
        asked,
        references=tuple(p for p in asked.references if not same_weights(p, merged)),
        notes=(),
        screened=(),
        suspect=merged,
        plan=plan,
        fixed=fixed,
        tokenizer=tokenizer,
        unjudged=unjudged(tokenizer, plan),
    )


def _fired_by_screen(prepared: Prepared) -> list[str]:
    """The families of which a variant was fired since its trigger alone moved rows: a rescan fires them whole."""
    return list(dict.fromkeys(s.family for s in prepared.screened if s.fired))


def scan_again(asked: Prepared, found: Opening, ring: Ring, backend: Backend) -> Generator[Event, None, Rescan]:
    """Probes the merged model and its ingredients, and judges it beside them.

    Args:
        asked: the rescan.
        ring: the ingredients' before the merge. On a wider suite they are judged again.
    """
    if not_judgeable(asked.suspect):
        result = yield from scan(asked, backend)
        return Rescan(asked, result, ring, ring.measures, None)
    started = now()
    backend.keep_rows(asked.plan.rows_digest, asked.plan.rows)
    yield from opening(asked)
    merged = yield from respond(asked, asked.suspect, Role.AFTER, backend)
    answers = {}
    for profile in asked.references:
        answers[profile.ref.digest] = yield from respond(asked, profile, Role.REFERENCE, backend)
    if asked.plan.key != found.asked.plan.key:
        known = {m.digest: m for m in ring.members}
        members = []
        for profile in asked.references:
            member = replace(known[profile.ref.digest], trials=answers[profile.ref.digest])
            if member.ingredient:
                looked = second_look(asked, profile, member.trials, (), backend, known=member.compared)
                member = replace(member, compared=(yield from looked))
            members.append(member)
        never = [double.digest for double in found.doubles]
        ring = judge_ring(members, partial(quality_in, asked), asked.policy, never) if members else ring
    measures = ring.measures.joined(found.ring.measures) if found.ring else ring.measures
    muted = [measures.muted(digest, own) for digest, own in answers.items()]
    compared = yield from second_look(asked, asked.suspect, merged, muted, backend)
    result = conclude(asked, started, merged, muted, compared=compared)
    result = replace(result, record=(yield from benched(asked, result.record, backend)))
    for score in result.record.scores.asr:
        yield ScoreReady(score)
    yield ScanReady(result.record)
    part = Part(merged, answers, {key: own.record for key, own in compared.items()})
    return Rescan(asked, result, ring, measures, part)
