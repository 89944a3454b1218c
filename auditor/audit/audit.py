"""Scan, merge, rescan, compare, stamp."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from auditor.audit.benched import partners_benched
from auditor.audit.carriers import partners_alone, partners_in_words, students_in_words
from auditor.audit.coherence import coherence_change
from auditor.audit.compare import Side, agreement, compare
from auditor.audit.further_rows import settle
from auditor.audit.likely import likely
from auditor.audit.odds import with_odds, with_odds_before
from auditor.audit.opening import Opening, names_of, open_audit, scans_of_partners, screen_all
from auditor.audit.plan import AuditPlan
from auditor.audit.rescan import Rescan, prepare_rescan, scan_again
from auditor.audit.residual import Part, residues, unsettled
from auditor.audit.rows import carried_changes, ingredient_rows
from auditor.audit.sharper import asked_sharper, with_probes
from auditor.audit.stamp import Judged, hangs_on_residues, stamp, stamp_before
from auditor.events import AuditReady, Event, MergeReady, PartnerScanned, Stage, Warned
from auditor.merge.merge import catalogue_merged, write
from auditor.merge.recipe import Recipe
from auditor.scan.checks import writes
from auditor.scan.execution.executor import Backend
from auditor.scan.judgement.ingredients import Ring
from auditor.scan.record import now
from auditor.scan.screen import screen
from auditor.scan.sharpen import sharpest_left
from auditor.search.attacks import Attack, attacks_of
from auditor.search.merged_model import Mixer
from auditor.search.search import in_words, search_recipe
from auditor.settings import Settings
from store.catalog import Catalog
from store.records import Audit, Merge, Residue, Scan, SearchRecord, Stamp


def audit(plan: AuditPlan, backend: Backend, catalog: Catalog, settings: Settings) -> Generator[Event, None, Audit]:
    """The whole loop.

    The partners see the same rows and edits as references, so that the floor is known, what they carry themselves is
    counted, and a partner that alone would do is named.
    """
    started = now()
    prepared = yield from screen_all(plan.scan, plan.partners, backend)
    found = yield from open_audit(prepared, plan.partners, backend, together=plan.together)
    before, ring = found.result, found.ring
    scans = scans_of_partners(found, plan.partners, started, backend, everyone=plan.together)
    for scan_of_partner in scans.values():
        yield PartnerScanned(scan_of_partner)
    partners = [p.ref.digest for p in plan.partners]
    suspects = [ring.judgements[d] for d in partners if d in ring.judgements] if ring and plan.together else []
    early = stamp_before(before.record, suspects)
    if early is None and not plan.partners:
        reasons = ("no partner is known that the model could be merged with", *plan.no_partners)
        return (yield from _finish(Audit(_new_id(), started, now(), before.record, None, None, (), None, reasons)))
    if early is not None or ring is None:
        early = early or Judged(Stamp.NOT_JUDGED, ("the partners could not be asked",))
        record = Audit(_new_id(), started, now(), before.record, None, None, (), early.stamp, early.reasons)
        rows = ingredient_rows(found.asked, plan.partners, ring, scans) if ring else ()
        return (yield from _finish(replace(record, ingredients=rows)))
    digests = [prepared.suspect.ref.digest, *partners]
    findings = [ring.judgements[d].findings if d in ring.judgements else () for d in digests]
    attacks = attacks_of(prepared.judging.behaviours, prepared.plan.suite.probes, findings, digests, ring.measures)
    backend.release()
    merge, search = yield from _merge(plan, attacks, settings)
    merged = catalogue_merged(Path(merge.output), catalog, next(iter(prepared.suspect.parts[1:]), None))
    if before.suspect is None:
        raise RuntimeError("a scan without answers that has something to cure")
    asked = prepare_rescan(prepared, plan.partners, plan.rescan, before.suspect.reference, merged, backend)
    asked = yield from screen(asked, backend)
    again = yield from scan_again(asked, found, ring, backend)
    record = yield from _conclude(started, found, ring, again, plan, merge, scans, backend)
    words = [*students_in_words(plan.partners), *partners_in_words(plan.partners, ring, scans)]
    words += [double.text for double in found.doubles]
    record = replace(record, reasons=(*record.reasons, *words))
    record = yield from partners_benched(record, prepared, plan.partners, backend)
    if search is not None:
        record = replace(record, search=search, reasons=(*record.reasons, in_words(search)))
    return (yield from _finish(record))


def _merge(
    plan: AuditPlan, attacks: Sequence[Attack], settings: Settings
) -> Generator[Event, None, tuple[Merge, SearchRecord | None]]:
    """Merges by the plan's recipe, or by one that is searched against these attacks, into the plan's place."""
    recipe, record = plan.recipe, None
    if recipe is None:
        raise RuntimeError("a merge without a recipe")
    if plan.search is not None:
        recipe, record = yield from _search(plan, recipe, attacks, settings)
    return (yield from _last_merge(_merge_at(plan, recipe, settings))), record


def _search(
    plan: AuditPlan, recipe: Recipe, attacks: Sequence[Attack], settings: Settings
) -> Generator[Event, None, tuple[Recipe, SearchRecord]]:
    """Searches a recipe over the models of another, in memory, on the rows held back."""
    if plan.search is None:
        raise RuntimeError("a search without a budget")
    yield Stage("load", f"Loading {len(recipe.models)} models into memory")
    scan = plan.scan
    mixer = Mixer(recipe, device=scan.device, dtype=scan.dtype, max_length=scan.max_length, asking=scan.judging.asking)
    with closing(mixer):
        return (
            yield from search_recipe(
                mixer,
                attacks,
                plan.split,
                plan.search,
                seed=settings.seed,
                policy=scan.policy,
                base=plan.base,
                how=scan.request.asking if writes(scan.suspect) else None,
            )
        )


def _merge_at(plan: AuditPlan, recipe: Recipe, settings: Settings) -> Generator[Event, None, None]:
    """Merges into the plan's place, unless this merge stands there whole."""
    place = plan.output
    output, made = place.choose(recipe)
    if made is not None:
        yield Stage("merge", f"{output} holds this merge already")
        yield MergeReady(made)
        return
    if place.exact and output != place.output:
        yield Warned(f"{place.output} holds another recipe's merge and is left alone; this one goes into {output}")
    yield from write(recipe, output, settings)


def _conclude(
    started: str,
    found: Opening,
    ring: Ring,
    again: Rescan,
    plan: AuditPlan,
    merge: Merge,
    scans: dict[str, Scan],
    backend: Backend,
) -> Generator[Event, None, Audit]:
    yield Stage("compare", "Comparing before and after")
    before, after, part = found.result, again.result, again.part
    if before.suspect is None or after.suspect is None or part is None:
        judged = Judged(Stamp.NOT_JUDGED, ("the merged model could not be judged:", *after.record.incomplete))
        return Audit(_new_id(), started, now(), before.record, after.record, merge, (), judged.stamp, judged.reasons)
    models = (plan.scan.suspect, again.asked.suspect, *plan.partners)
    shares = yield from likely(again.asked, before.suspect, models, backend)
    suspect = Side(before.record, before.suspect, shares.get(plan.scan.suspect.ref.digest))
    merged = Side(after.record, after.suspect, shares.get(again.asked.suspect.ref.digest))
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
    benchmarks = backend.bench_changes(before.record.scores.benchmarks, after.record.scores.benchmarks)
    coherent = yield from coherence_change(again.asked, before.suspect, after.suspect)
    if coherent is not None:
        change = (change[0], coherent, *change[1:])
    if hangs_on_residues(after.record, change, merge, policy):
        more = yield from settle(with_probes(again.asked, forms), left, again.measures, backend)
        if more is not None:
            wider = {_name(r): r for one in parts for r in measured([one, more])}
            left = tuple(wider.get(_name(r), r) for r in left)
    first = Part(before.suspect, {})
    left = with_odds_before(left, first, before.record.findings)
    rows = ingredient_rows(found.asked, plan.partners, ring, scans, again=again, left=left)
    carried = carried_changes(before.record, rows, ring, again, part)
    open_ = unsettled(left, part, names_of(again.asked), policy)
    judged = stamp(
        before.record,
        after.record,
        change,
        left,
        merge,
        partners_alone(again, plan.partners, suspect, merged, parts, fired, shares),
        policy,
        carried=carried,
        known=[(f.group, f.target) for row in rows for f in row.carried] if plan.together else (),
        unjudged=open_,
        benchmarks=benchmarks,
    )
    same = agreement(before.suspect, after.suspect)
    alike = f"the merged model agrees with the suspect on {same:.1%} of the clean rows"
    reasons = (
        *judged.reasons,
        *(f"{u.text}. All ingredients do the same there" for u in open_ if not u.differ),
        alike,
    )
    told = replace(after.record, limits=(*after.record.limits, *(f"{u.text}." for u in open_)))
    audit = Audit(_new_id(), started, now(), before.record, told, merge, (), judged.stamp, reasons)
    return replace(audit, change=(*change, *carried), left=left, ingredients=rows, benchmarks=benchmarks)


def _name(residue: Residue) -> tuple[str, str, str]:
    return residue.family, residue.variant, residue.target


def _finish(record: Audit) -> Generator[Event, None, Audit]:
    yield AuditReady(record)
    return record


def _last_merge(events: Generator[Event, None, object]) -> Generator[Event, None, Merge]:
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
