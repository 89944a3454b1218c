"""Scan, cure, rescan, compare, stamp."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.audit.compare import Side, agreement, clean_change, compare
from auditor.audit.further_rows import settle
from auditor.audit.odds import with_odds, with_odds_before
from auditor.audit.opening import Opening, names_of, open_audit, scans_of_partners, screen_all
from auditor.audit.rescan import Rescan, prepare_rescan, scan_again
from auditor.audit.residual import Fired, Part, excess_alone, residues, unsettled
from auditor.audit.rows import carried_changes, ingredient_rows
from auditor.audit.sharper import asked_sharper, with_probes
from auditor.audit.stamp import Alone, Judged, hangs_on_residues, stamp, stamp_before
from auditor.events import AuditReady, Event, MergeReady, PartnerScanned, Stage
from auditor.models.files.origin import is_student
from auditor.scan.judgement.classification import behaviours_of
from auditor.scan.judgement.ingredients import Ring
from auditor.scan.prepare import Backend, Prepared
from auditor.scan.record import now
from auditor.scan.screen import screen
from auditor.scan.sharpen import sharpest_left
from auditor.search.attacks import Attack, attacks_of
from auditor.search.search import in_words
from store.records import Audit, Finding, Merge, Profile, Residue, Scan, SearchRecord, Stamp

Made = tuple[Merge, SearchRecord | None]
MakeMerge = Callable[[Sequence[Attack]], Generator[Event, None, Made]]
"""Merges the ingredients by a recipe that was given, or is searched now against these attacks."""


@dataclass(frozen=True)
class Cure:
    """How the suspect is to be cured: with whom, and what merges them.

    `merge` makes the merged model; `profile` reads it. `no_partners` says why there are none, where there are none.
    `together`: the partners are suspects too, and what is found in any of them is to be cured.
    """

    partners: tuple[Profile, ...]
    merge: MakeMerge
    profile: Callable[[Path], Profile]
    no_partners: tuple[str, ...] = ()
    rescan: tuple[str, ...] = ()
    together: bool = False


def audit(prepared: Prepared, cure: Cure, backend: Backend) -> Generator[Event, None, Audit]:
    """The whole loop.

    The partners see the same rows and edits as references, so that the floor is known, what they carry themselves is
    counted, and a partner that alone would do is named.
    """
    started = now()
    prepared = yield from screen_all(prepared, cure.partners, backend)
    found = yield from open_audit(prepared, cure.partners, backend, together=cure.together)
    before, ring = found.result, found.ring
    scans = scans_of_partners(found, cure.partners, started, backend, everyone=cure.together)
    for scan_of_partner in scans.values():
        yield PartnerScanned(scan_of_partner)
    partners = [p.ref.digest for p in cure.partners]
    suspects = [ring.judgements[d] for d in partners if d in ring.judgements] if ring and cure.together else []
    early = stamp_before(before.record, suspects)
    if early is None and not cure.partners:
        reasons = ("no partner is known that the model could be merged with", *cure.no_partners)
        return (yield from _finish(Audit(_new_id(), started, now(), before.record, None, None, (), None, reasons)))
    if early is not None or ring is None:
        early = early or Judged(Stamp.NOT_JUDGED, ("the partners could not be asked",))
        record = Audit(_new_id(), started, now(), before.record, None, None, (), early.stamp, early.reasons)
        rows = ingredient_rows(found.asked, cure.partners, ring, scans) if ring else ()
        return (yield from _finish(replace(record, ingredients=rows)))
    digests = [prepared.suspect.ref.digest, *partners]
    findings = [ring.judgements[d].findings if d in ring.judgements else () for d in digests]
    behaviours = behaviours_of(prepared.suspect.labels)
    attacks = attacks_of(behaviours, prepared.plan.suite.probes, findings, digests, ring.measures)
    merge, search = yield from cure.merge(attacks)
    merged = cure.profile(Path(merge.output))
    asked = prepare_rescan(prepared, cure.partners, cure.rescan, before.record, merged, backend)
    asked = yield from screen(asked, backend)
    again = yield from scan_again(asked, found, ring, backend)
    record = yield from _conclude(started, found, ring, again, cure, merge, scans, backend)
    words = [*_students_in_words(cure.partners), *_partners_in_words(cure.partners, ring, scans)]
    words += [double.text for double in found.doubles]
    record = replace(record, reasons=(*record.reasons, *words))
    if search is not None:
        record = replace(record, search=search, reasons=(*record.reasons, in_words(search)))
    return (yield from _finish(record))


def _conclude(
    started: str,
    found: Opening,
    ring: Ring,
    again: Rescan,
    cure: Cure,
    merge: Merge,
    scans: dict[str, Scan],
    backend: Backend,
) -> Generator[Event, None, Audit]:
    yield Stage("compare", "Comparing before and after")
    before, after, part = found.result, again.result, again.part
    if before.suspect is None or after.suspect is None or part is None:
        judged = Judged(Stamp.NOT_JUDGED, ("the merged model could not be judged:", *after.record.incomplete))
        return Audit(_new_id(), started, now(), before.record, after.record, merge, (), judged.stamp, judged.reasons)
    suspect, merged = Side(before.record, before.suspect), Side(after.record, after.suspect)
    policy = again.asked.policy
    fired = ring.fired | again.ring.fired
    parts = [part]
    forms = yield from sharpest_left(found.asked, before.record, again.asked.suspect, again.asked.references, backend)
    if forms:
        parts.append((yield from asked_sharper(again.asked, forms, backend)))

    def measured(one: Sequence[Part]) -> tuple[Residue, ...]:
        return with_odds(residues(fired, one, again.measures), one, again.measures)

    left = tuple(r for one in parts for r in measured([one]))
    change = compare(suspect, merged)
    if hangs_on_residues(after.record, change, merge, policy):
        more = yield from settle(with_probes(again.asked, forms), left, again.measures, backend)
        if more is not None:
            wider = {_name(r): r for one in parts for r in measured([one, more])}
            left = tuple(wider.get(_name(r), r) for r in left)
    first = Part(before.suspect, {})
    left = with_odds_before(left, first, before.record.findings)
    rows = ingredient_rows(found.asked, cure.partners, ring, scans, again=again, left=left)
    carried = carried_changes(before.record, rows, ring, again, part)
    open_ = unsettled(left, part, names_of(again.asked), policy)
    judged = stamp(
        before.record,
        after.record,
        change,
        left,
        merge,
        _partners_alone(again, cure, suspect, merged, parts, fired),
        policy,
        carried=carried,
        known=[(f.group, f.target) for row in rows for f in row.carried] if cure.together else (),
        unjudged=open_,
    )
    same = agreement(before.suspect, after.suspect)
    reasons = (
        *judged.reasons,
        *(f"{u.text}. All ingredients do the same there" for u in open_ if not u.differ),
        f"the merged model agrees with the suspect on {same:.1%} of the clean rows",
    )
    told = replace(after.record, limits=(*after.record.limits, *(f"{u.text}." for u in open_)))
    audit = Audit(_new_id(), started, now(), before.record, told, merge, (), judged.stamp, reasons)
    return replace(audit, change=(*change, *carried), left=left, ingredients=rows)


def _name(residue: Residue) -> tuple[str, str, str]:
    return residue.family, residue.variant, residue.target


def _students_in_words(partners: Sequence[Profile]) -> list[str]:
    return [
        f"the partner {p.ref.reference} is a student of the suspect and no independent model: it learnt the suspect's "
        "answers to ordinary texts"
        for p in partners
        if is_student(p)
    ]


def _partners_in_words(partners: Sequence[Profile], ring: Ring, scans: dict[str, Scan]) -> list[str]:
    def words(partner: Profile, found: Finding) -> str:
        own = scans.get(partner.ref.digest)
        where = f" (scan {own.id})" if own else ""
        return (
            f"the partner {partner.ref.reference} has a backdoor itself: {found.group} edit "
            f"{found.family}/{found.variant} → {found.target}{where}"
        )

    judged = {p.ref.digest: ring.judgements[p.ref.digest] for p in partners if p.ref.digest in ring.judgements}
    return [
        words(p, f)
        for p in partners
        if p.ref.digest in judged
        for f in judged[p.ref.digest].findings
        if f.rule == "backdoor"
    ]


def _partners_alone(
    again: Rescan, cure: Cure, suspect: Side, merged: Side, parts: Sequence[Part], fired: Fired
) -> list[Alone]:
    """What each partner would be worth by itself, from the answers that it gave as a reference."""
    found = []
    for profile in cure.partners:
        digest = profile.ref.digest
        if digest not in parts[0].references or digest not in again.ring.judgements:
            continue
        answers, own = parts[0].references[digest], again.ring.judgements[digest]
        clean = own.scores.cacc.value if own.scores.cacc else agreement(suspect.trials, answers)
        shown = frozenset((s.group, s.target) for s in own.scores.asr if s.finding or s.suspicious)
        excess = max(excess_alone(fired, part, digest, again.measures) for part in parts)
        ahead = clean_change(merged, Side(merged.scan, answers), suspect.trials.reference).delta
        bad = bool(own.incomplete) or bool(shown)
        found.append(Alone(profile.ref.reference, excess, clean, bad, ahead, shown))
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


def _new_id() -> str:
    return secrets.token_hex(6)
