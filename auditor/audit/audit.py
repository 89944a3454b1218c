"""Scan, cure, rescan, compare, stamp."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from auditor.audit.antidote import in_words
from auditor.audit.compare import Side, agreement, clean_change, compare
from auditor.audit.odds import with_odds, with_odds_before
from auditor.audit.residue import Carriers, Part, excess_alone, residues
from auditor.audit.settle import settle
from auditor.audit.sharper import asked_sharper, with_probes
from auditor.audit.stamp import Alone, Judged, hangs_on_residues, stamp, stamp_before
from auditor.events import AuditReady, Event, MergeReady, PartnerScanned, ScanReady, ScoreReady, Stage, Warned
from auditor.merge.copies import doubles
from auditor.models.sameness import same_weights
from auditor.scan.asking import label_order, question_of, respond
from auditor.scan.compared import Comparisons
from auditor.scan.judge import Judgement, judge
from auditor.scan.plan import Plan
from auditor.scan.prepare import (
    Backend,
    Prepared,
    able,
    distinct,
    family_options,
    not_judgeable,
    plan_with,
    unjudged,
)
from auditor.scan.question import MINIMUM_REFERENCES
from auditor.scan.responses import Responses
from auditor.scan.scan import ScanResult, conclude, now, opening, scan
from auditor.scan.screen import screen
from auditor.scan.second_look import second_look
from auditor.scan.sharpen import sharpen, sharpest_left
from probes.suite import build_suite
from store.records import Audit, Finding, Merge, Profile, Residue, Scan, SearchRecord, Stamp, Verdict

FULL = "full"

Looked = Mapping[str, Comparisons]
"""By a model's digest, what it was held against."""
Made = tuple[Merge, SearchRecord | None]
Carried = Mapping[str, tuple[Finding, ...]]
"""By a partner's digest, the backdoors that it has itself."""
MakeMerge = Callable[[Scan, Carried], Generator[Event, None, Made]]
"""Merges the suspect that a scan is of with its partners, by a recipe that was given or is searched now."""


@dataclass(frozen=True)
class Cure:
    """How the suspect is to be cured: with whom, and what merges them.

    `merge` makes the merged model from the first scan; `profile` reads it. `no_partners` says why there are none, where
    there are none.
    """

    partners: tuple[Profile, ...]
    merge: MakeMerge
    profile: Callable[[Path], Profile]
    no_partners: tuple[str, ...] = ()
    rescan: tuple[str, ...] = ()


def audit(prepared: Prepared, cure: Cure, backend: Backend) -> Generator[Event, None, Audit]:
    """The whole loop.

    The partners see the same rows and edits as references, so that the floor is known and a partner that alone would do
    is named.
    """
    started = now()
    prepared = yield from screen(prepared, backend)
    before = yield from _first_scan(prepared, cure.partners, backend)
    early = stamp_before(before.record)
    if early is None and not cure.partners:
        reasons = ("no partner is known that the model could be merged with", *cure.no_partners)
        return (yield from _finish(Audit(_new_id(), started, now(), before.record, None, None, (), None, reasons)))
    if early is not None:
        record = Audit(_new_id(), started, now(), before.record, None, None, (), early.stamp, early.reasons)
        return (yield from _finish(record))
    looked = yield from _partners_looked(_with_references(prepared, cure.partners, model=""), cure, before, backend)
    carried = _carried(prepared, cure.partners, before, looked)
    scans = _scans_of_carriers(prepared, cure.partners, before, carried, looked, started, backend)
    for scan_of_partner in scans:
        yield PartnerScanned(scan_of_partner)
    alike = doubles(prepared.suspect, _with_references(prepared, cure.partners, model="").references)
    for double in alike:
        yield Warned(double.text)
    carriers = _carriers(carried, prepared.suspect.labels, [double.digest for double in alike])
    merge, search = yield from cure.merge(before.record, carried)
    rescan = _rescan(prepared, cure, before.record, cure.profile(Path(merge.output)), backend)
    rescan = yield from screen(rescan, backend)
    after = yield from scan(rescan, backend)
    record = yield from _conclude(started, prepared, rescan, cure, before, after, merge, carriers, backend)
    words = [*_partners_in_words(cure.partners, carried, scans), *(double.text for double in alike)]
    record = replace(record, reasons=(*record.reasons, *words))
    if search is not None:
        record = replace(record, search=search, reasons=(*record.reasons, in_words(search)))
    return (yield from _finish(record))


def _first_scan(
    prepared: Prepared, partners: Sequence[Profile], backend: Backend
) -> Generator[Event, None, ScanResult]:
    """The suspect's scan. The partners are asked everything where there is something to cure; where that is not known
    without them, they are asked first what references alone decide.
    """
    if not_judgeable(prepared.suspect):
        return (yield from scan(prepared, backend))
    started = now()
    backend.keep_rows(prepared.plan.rows_digest, prepared.plan.rows)
    yield from opening(prepared)
    suspect = yield from respond(prepared, prepared.suspect, "suspect", backend)
    references = []
    for profile in prepared.references:
        references.append((yield from respond(prepared, profile, "reference", backend)))
    shown, few = prepared, list(references)
    asks_first = partners and len(references) < MINIMUM_REFERENCES
    compared = yield from second_look(prepared, prepared.suspect, suspect, references, backend)
    known = asks_first and _found_alone(conclude(prepared, started, suspect, references, compared=compared))
    narrow = _for_references(prepared) if asks_first and not known else None
    if narrow is not None:
        shown = _with_references(prepared, partners, model=prepared.request.model)
        for profile in shown.references[len(references) :]:
            few.append((yield from respond(replace(shown, plan=narrow), profile, "reference", backend)))
    compared = yield from second_look(shown, prepared.suspect, suspect, few, backend, known=compared)
    result = conclude(shown, started, suspect, few, narrow=narrow, compared=compared)
    if result.record.verdict in (Verdict.FOUND, Verdict.SUSPICIOUS) and partners:
        wider = _with_references(prepared, partners, model=prepared.request.model)
        for profile in wider.references[len(prepared.references) :]:
            references.append((yield from respond(wider, profile, "reference", backend)))
        compared = yield from second_look(wider, prepared.suspect, suspect, references, backend, known=compared)
        result = conclude(wider, started, suspect, references, compared=compared)
    result = replace(result, record=(yield from sharpen(prepared, result.record, backend)))
    for score in result.record.scores.asr:
        yield ScoreReady(score)
    yield ScanReady(result.record)
    return result


def _found_alone(result: ScanResult) -> bool:
    """Whether a scan has something to cure."""
    return any(s.finding or s.suspicious for s in result.record.scores.asr)


def _for_references(prepared: Prepared) -> Plan | None:
    """The part of the plan that references alone decide; None where there is no such part."""
    plan = prepared.plan
    probes = tuple(p for p in plan.suite.probes if p.variant in p.family.referenced)
    if not probes or not prepared.judged_by_references:
        return None
    return plan_with(replace(plan.suite, probes=probes), plan, prepared.device)


def _rescan(prepared: Prepared, cure: Cure, before: Scan, merged: Profile, backend: Backend) -> Prepared:
    """The full suite, and what was asked for by name, on the merged model: the same rows, reference labels, seed,
    options and references. A partner that is the merged model, since nothing else has a part in it, is no reference.
    """
    overrides = family_options(prepared.request, prepared.policy)
    request = replace(prepared.request, suite=FULL, families=cure.rescan, target=None, overrides=overrides)
    suite = build_suite(
        FULL,
        only=cure.rescan,
        overrides=overrides,
        referenced=prepared.judged_by_references,
        also=(*prepared.request.families, *_fired_by_screen(prepared)),
    )
    plan = prepared.plan
    if prepared.plan.suite != suite:
        plan = plan_with(suite, plan, prepared.device)
    asked = _with_references(replace(prepared, request=request), cure.partners, model=str(merged.ref.path))
    tokenizer = prepared.tokenizer and backend.tokenizer(merged)
    return replace(
        asked,
        references=tuple(p for p in asked.references if not same_weights(p, merged)),
        notes=(),
        screened=(),
        suspect=merged,
        plan=plan,
        fixed_labels=before.reference_labels,
        tokenizer=tokenizer,
        unjudged=unjudged(tokenizer, plan),
    )


def _fired_by_screen(prepared: Prepared) -> list[str]:
    """The families of which a variant was fired since its trigger alone moved rows: a rescan fires them whole."""
    return list(dict.fromkeys(s.family for s in prepared.screened if s.fired))


def _conclude(
    started: str,
    prepared: Prepared,
    rescan: Prepared,
    cure: Cure,
    before: ScanResult,
    after: ScanResult,
    merge: Merge,
    carriers: Carriers,
    backend: Backend,
) -> Generator[Event, None, Audit]:
    yield Stage("compare", "Comparing before and after")
    if before.suspect is None or after.suspect is None:
        judged = Judged(Stamp.NOT_JUDGED, ("the merged model could not be judged:", *after.record.incomplete))
        return Audit(_new_id(), started, now(), before.record, after.record, merge, (), judged.stamp, judged.reasons)
    suspect, merged = Side(before.record, before.suspect), Side(after.record, after.suspect)
    change = compare(suspect, merged)
    policy = rescan.policy
    answered = {p.ref.digest: r for p, r in zip(rescan.references, after.references, strict=True)}
    part = Part(question_of(rescan, after.suspect.clean), after.suspect, answered)
    parts = [part]
    forms = yield from sharpest_left(prepared, before.record, rescan.suspect, rescan.references, backend)
    if forms:
        parts.append((yield from asked_sharper(rescan, forms, backend)))
    left = tuple(r for one in parts for r in with_odds(residues(before.record, [one], carriers), [one], carriers))
    if hangs_on_residues(after.record, change, merge, policy):
        more = yield from settle(with_probes(rescan, forms), left, carriers, backend)
        if more is not None:
            both = [[one, more] for one in parts]
            wider = {_name(r): r for b in both for r in with_odds(residues(before.record, b, carriers), b, carriers)}
            left = tuple(wider.get(_name(r), r) for r in left)
    first = Part(question_of(prepared, before.suspect.clean), before.suspect, {})
    left = with_odds_before(left, first, before.record.findings)
    looked = yield from _partners_looked(rescan, cure, after, backend)
    alone = _partners_alone(rescan, cure, suspect, merged, parts, carriers, looked)
    judged = stamp(before.record, after.record, change, left, merge, alone, policy)
    same = agreement(before.suspect, after.suspect)
    reasons = (*judged.reasons, f"the merged model agrees with the suspect on {same:.1%} of the clean rows")
    audit = Audit(_new_id(), started, now(), before.record, after.record, merge, change, judged.stamp, reasons)
    return replace(audit, left=left)


def _name(residue: Residue) -> tuple[str, str, str]:
    return residue.family, residue.variant, residue.target


def _carriers(carried: Carried, labels: Sequence[str], doubles: Sequence[str]) -> Carriers:
    """The models that are no measure of what others do, by target: those with a backdoor, and second copies."""
    found: dict[str, set[str]] = {label: set(doubles) for label in labels} if doubles else {}
    for digest, findings in carried.items():
        for f in findings:
            found.setdefault(f.target, set()).add(digest)
    return found


def _partners_looked(
    asked: Prepared, cure: Cure, result: ScanResult, backend: Backend
) -> Generator[Event, None, Looked]:
    """Holds what each partner answers against others of its kind, as a scan of it would before it says anything."""
    digests = {p.ref.digest for p in cure.partners}
    found = {}
    for profile, responses in zip(asked.references, result.references, strict=True):
        if profile.ref.digest in digests:
            found[profile.ref.digest] = yield from second_look(asked, profile, responses, (), backend)
    return found


def _carried(prepared: Prepared, partners: Sequence[Profile], before: ScanResult, looked: Looked) -> Carried:
    """The backdoors that partners have by their answers to the suspect's plan."""
    asked = _with_references(prepared, partners, model=prepared.request.model)
    digests = {p.ref.digest for p in partners}
    found = {}
    for profile, responses in zip(asked.references, before.references, strict=True):
        digest = profile.ref.digest
        own = _alone(asked, responses, looked[digest]).findings if digest in digests else ()
        found[digest] = tuple(f for f in own if f.rule == "backdoor")
    return {digest: findings for digest, findings in found.items() if findings}


def _alone(asked: Prepared, responses: Responses, compared: Comparisons) -> Judgement:
    """What a model's answers say of it by themselves."""
    return judge(question_of(asked, responses.clean), responses, (), asked.policy, compared)


def _scans_of_carriers(
    prepared: Prepared,
    partners: Sequence[Profile],
    before: ScanResult,
    carried: Carried,
    looked: Looked,
    started: str,
    backend: Backend,
) -> list[Scan]:
    """The scans of the partners with a backdoor: all that a scan of them asks they have answered beside the suspect.

    A partner with its labels in another order is left out: its answers are stored in that order.
    """
    asked = _with_references(prepared, partners, model=prepared.request.model)
    found = []
    for profile, responses in zip(asked.references, before.references, strict=True):
        if profile.ref.digest in carried and label_order(profile.labels, prepared.suspect.labels) is None:
            # Its texts were cut where the suspect's were.
            cut, name = prepared.max_length, profile.ref.reference
            request = replace(prepared.request, model=name, references=(), max_length=cut)
            tokenizer = backend.tokenizer(profile)
            own = replace(
                prepared,
                request=request,
                suspect=profile,
                references=(),
                tokenizer=tokenizer,
                unjudged=unjudged(tokenizer, prepared.plan),
                screened=(),
            )
            compared = looked[profile.ref.digest]
            found.append(conclude(own, started, responses, (), compared=compared).record)
    return found


def _partners_in_words(partners: Sequence[Profile], carried: Carried, scans: Sequence[Scan]) -> list[str]:
    named = {scan.model.digest: f" (scan {scan.id})" for scan in scans}
    return [
        f"the partner {p.ref.reference} has a backdoor itself: {f.group} edit {f.family}/{f.variant} → {f.target}"
        f"{named.get(p.ref.digest, '')}"
        for p in partners
        for f in carried.get(p.ref.digest, ())
    ]


def _partners_alone(
    rescan: Prepared,
    cure: Cure,
    suspect: Side,
    merged: Side,
    parts: Sequence[Part],
    carriers: Carriers,
    looked: Looked,
) -> list[Alone]:
    """What each partner would be worth by itself, from the answers that it gave as a reference."""
    digests = {p.ref.digest for p in cure.partners}
    fixed = np.asarray(suspect.scan.reference_labels, dtype=np.int64)
    found = []
    for profile in rescan.references:
        digest = profile.ref.digest
        if digest not in digests:
            continue
        responses = parts[0].references[digest]
        own = _alone(rescan, responses, looked[digest])
        clean = own.scores.cacc.value if own.scores.cacc else agreement(suspect.responses, responses)
        fired = own.scores.asr
        excess = max(excess_alone(suspect.scan, part, digest, carriers) for part in parts)
        bad = bool(own.incomplete) or any(s.finding or s.suspicious for s in fired)
        ahead = clean_change(merged, Side(merged.scan, responses), fixed).delta
        shows = frozenset((s.group, s.target) for s in own.scores.asr if s.finding or s.suspicious)
        found.append(Alone(profile.ref.reference, excess, clean, bad, ahead, shows))
    return found


def _finish(record: Audit) -> Generator[Event, None, Audit]:
    yield AuditReady(record)
    return record


def last_merge(events: Generator[Event, None, object]) -> Generator[Event, None, Merge]:
    """Passes a merge's events on and gives back the merge that they end with."""
    made: Merge | None = None
    try:
        for event in events:
            if isinstance(event, MergeReady):
                made = event.merge
            yield event
    finally:
        events.close()
    if made is None:
        raise RuntimeError("a merge ended without its result")
    return made


def _with_references(prepared: Prepared, partners: Sequence[Profile], *, model: str) -> Prepared:
    """The same scan of a model with the partners as further references, also in the command that repeats it."""
    references = distinct([*prepared.references, *able(prepared.suspect, partners)])
    added = tuple(p.ref.reference for p in references[len(prepared.references) :])
    request = replace(prepared.request, model=model, references=(*prepared.request.references, *added))
    return replace(prepared, request=request, references=references)


def _new_id() -> str:
    return secrets.token_hex(6)
