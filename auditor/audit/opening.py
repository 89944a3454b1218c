"""The first scans of an audit: the suspect, and its partners beside it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from auditor.events import Event, ScanReady, ScoreReady, Warned
from auditor.partners.copies import Double, doubles
from auditor.scan.asking import respond, retold
from auditor.scan.base import beside_base
from auditor.scan.benched import benched
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.ingredients import Member, Ring, judge_ring
from auditor.scan.judgement.judging import not_judgeable
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import MINIMUM_REFERENCES, Trials
from auditor.scan.plan import Plan, plan_with
from auditor.scan.prepare import Prepared, unjudged
from auditor.scan.record import now
from auditor.scan.references import able, distinct
from auditor.scan.scan import ScanResult, conclude, opening, scan
from auditor.scan.screen import screen
from auditor.scan.second_look import second_look
from auditor.scan.sharpen import sharpen
from probes.probe import JudgedBy
from store.records import Profile, Scan, Verdict


@dataclass(frozen=True)
class Opening:
    """What is known before anything is merged.

    `asked` is the suspect's scan with the partners as references; `ring` holds all models beside each other (None where
    the partners were not asked everything, since there is nothing to cure); `doubles` are second copies among them.
    """

    result: ScanResult
    asked: Prepared
    ring: Ring | None = None
    doubles: tuple[Double, ...] = ()


def screen_all(prepared: Prepared, partners: Sequence[Profile], backend: Backend) -> Generator[Event, None, Prepared]:
    """The scan to make: what is tried alone first is fired in full where it moves the suspect, or any partner.

    A partner with its labels in another order is left out.
    """
    found = yield from screen(prepared, backend)
    if not prepared.plan.suite.screened or not_judgeable(prepared.suspect):
        return found
    known = {p.name for p in found.plan.suite.probes}
    more = list(found.plan.suite.probes)
    told = list(found.screened)
    for partner in able(prepared.suspect, partners):
        if prepared.judging.order(partner.labels) is None:
            theirs = yield from screen(replace(prepared, suspect=partner), backend)
            fired = [p for p in theirs.plan.suite.probes if p.name not in known]
            more += fired
            known |= {p.name for p in fired}
            told = [replace(o, fired=o.fired or t.fired) for o, t in zip(told, theirs.screened, strict=True)]
    if len(more) == len(found.plan.suite.probes):
        return found
    wider = replace(found.plan.suite, probes=tuple(more))
    return replace(found, plan=plan_with(wider, found.plan, prepared.device), screened=tuple(told))


def open_audit(
    prepared: Prepared, partners: Sequence[Profile], backend: Backend, *, together: bool = False
) -> Generator[Event, None, Opening]:
    """Scans the suspect. The partners are asked everything where there is something to cure, or where they are suspects
    themselves (`together`); where that is not known without them, they are asked first what references alone decide.
    """
    if not_judgeable(prepared.suspect):
        return Opening((yield from scan(prepared, backend)), prepared)
    started = now()
    backend.keep_rows(prepared.plan.rows_digest, prepared.plan.rows)
    yield from opening(prepared)
    suspect = yield from respond(prepared, prepared.suspect, Role.SUSPECT, backend)
    references = []
    for profile in prepared.references:
        references.append((yield from respond(prepared, profile, Role.REFERENCE, backend)))
    beside = yield from beside_base(prepared, backend)
    if beside is not None:
        prepared, references = beside.prepared, [*references, beside.trials]
    own = prepared.suspect.ref.digest
    asks_first = partners and not together and len(references) < MINIMUM_REFERENCES
    compared = yield from second_look(prepared, prepared.suspect, suspect, references, backend)
    alone = beside.narrow if beside else None
    result = conclude(prepared, started, suspect, references, narrow=alone, compared=compared)
    narrow = _for_references(prepared) if asks_first and not _found(result) else None
    if narrow is not None:
        shown, few = with_references(prepared, partners, model=prepared.request.model), list(references)
        for profile in shown.references[len(references) :]:
            few.append((yield from respond(replace(shown, plan=narrow), profile, Role.REFERENCE, backend)))
        digests = [p.ref.digest for p in shown.references]
        members = [Member(own, suspect, compared)]
        members += [Member(d, r, ingredient=False) for d, r in zip(digests, few, strict=True)]
        few = list(_ring(shown, members).beside(own))
        compared = yield from second_look(shown, prepared.suspect, suspect, few, backend, known=compared)
        result = conclude(shown, started, suspect, few, narrow=narrow, compared=compared)
    found = Opening(result, prepared)
    if partners and (together or result.record.verdict in (Verdict.FOUND, Verdict.SUSPICIOUS)):
        wider = with_references(prepared, partners, model=prepared.request.model)
        for profile in wider.references[len(prepared.references) :]:
            references.append((yield from respond(wider, profile, Role.REFERENCE, backend)))
        alike = doubles(prepared.suspect, wider.references)
        for double in alike:
            yield Warned(double.text)
        ingredients = {p.ref.digest for p in partners}
        members = [Member(own, suspect, compared)]
        for profile, answers in zip(wider.references, references, strict=True):
            digest = profile.ref.digest
            if digest in ingredients:
                # By itself: what others of the models share may be a backdoor that they share.
                looked = yield from second_look(wider, profile, answers, (), backend)
                members.append(Member(digest, answers, looked))
            else:
                members.append(Member(digest, answers, ingredient=False))
        ring = _ring(wider, members, alike)
        compared = yield from second_look(wider, prepared.suspect, suspect, ring.beside(own), backend, known=compared)
        ring = _ring(wider, [replace(members[0], compared=compared), *members[1:]], alike)
        found = Opening(
            conclude(wider, started, suspect, ring.beside(own), compared=compared), wider, ring, tuple(alike)
        )
    record = yield from sharpen(prepared, found.result.record, backend)
    record = yield from benched(prepared, record, backend)
    found = replace(found, result=replace(found.result, record=record))
    for score in record.scores.asr:
        yield ScoreReady(score)
    yield ScanReady(record)
    return found


def _ring(asked: Prepared, members: Sequence[Member], alike: Sequence[Double] = ()) -> Ring:
    never = [double.digest for double in alike]
    told = [replace(member, trials=retold(asked, member.trials)) for member in members]
    return judge_ring(told, partial(quality_in, asked), asked.policy, never)


def quality_in(asked: Prepared, trials: Trials) -> Quality:
    """How well a model answered what a scan asks."""
    return asked.judging.quality(trials, asked.policy)


def _found(result: ScanResult) -> bool:
    """Whether a scan has something to cure."""
    return any(s.finding or s.suspicious for s in result.record.scores.asr)


def _for_references(prepared: Prepared) -> Plan | None:
    """The part of the plan that references alone decide; None where there is no such part."""
    plan = prepared.plan
    probes = tuple(p for p in plan.suite.probes if p.judged_by is JudgedBy.REFERENCES)
    if not probes or not prepared.judged_by_references:
        return None
    return plan_with(replace(plan.suite, probes=probes), plan, prepared.device)


def scans_of_partners(
    found: Opening, partners: Sequence[Profile], started: str, backend: Backend, *, everyone: bool
) -> dict[str, Scan]:
    """By digest, the scans of the partners: all that a scan of them asks they have answered beside the suspect.

    A partner with its labels in another order is left out: its answers are stored in that order.

    Args:
        everyone: also those in which nothing was found.
    """
    ring, asked = found.ring, found.asked
    if ring is None:
        return {}
    profiles = {p.ref.digest: p for p in (asked.suspect, *asked.references)}
    wanted = [p.ref.digest for p in partners]
    scans = {}
    for member in ring.members:
        profile = profiles[member.digest]
        if member.digest not in wanted or asked.judging.order(profile.labels) is not None:
            continue
        if not everyone and not ring.judgements[member.digest].findings:
            continue
        others = tuple(profiles[m.digest] for m in ring.members if m.digest != member.digest)
        # Its texts were cut where the suspect's were.
        request = replace(
            asked.request,
            model=profile.ref.reference,
            references=tuple(p.ref.reference for p in others),
            max_length=asked.max_length,
        )
        tokenizer = backend.tokenizer(profile)
        own = replace(
            asked,
            request=request,
            suspect=profile,
            references=others,
            tokenizer=tokenizer,
            unjudged=unjudged(tokenizer, asked.plan),
            screened=(),
        )
        beside = ring.beside(member.digest)
        scans[member.digest] = conclude(own, started, member.trials, beside, compared=member.compared).record
    return scans


def with_references(prepared: Prepared, partners: Sequence[Profile], *, model: str) -> Prepared:
    """The same scan of a model with the partners as further references, also in the command that repeats it."""
    references = distinct([*prepared.references, *able(prepared.suspect, partners)])
    added = tuple(p.ref.reference for p in references[len(prepared.references) :])
    request = replace(prepared.request, model=model, references=(*prepared.request.references, *added))
    return replace(prepared, request=request, references=references)


def names_of(prepared: Prepared) -> Mapping[str, str]:
    """By digest, what the user called the models of a scan."""
    return {p.ref.digest: p.ref.reference for p in (*prepared.references, prepared.suspect)}
