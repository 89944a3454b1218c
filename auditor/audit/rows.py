"""A row an ingredient: what it carried, and what is left of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from auditor.audit.rescan import Rescan
from auditor.audit.residual import Part, rate_in, rows_of
from auditor.scan.judgement.ingredients import Ring
from auditor.scan.judgement.trials import share
from auditor.scan.prepare import Prepared
from probes.rates import Paired
from store.records import Change, Finding, Ingredient, Profile, Residue, Scan, asr_measure


def ingredient_rows(
    asked: Prepared,
    partners: Sequence[Profile],
    ring: Ring,
    scans: Mapping[str, Scan],
    *,
    again: Rescan | None = None,
    left: Sequence[Residue] = (),
) -> tuple[Ingredient, ...]:
    """The suspect's row, then the partners'. What only the rescan's wider suite shows of an ingredient is its too."""
    rows = []
    for profile in (asked.suspect, *partners):
        digest, name = profile.ref.digest, profile.ref.reference
        own = ring.judgements.get(digest)
        if own is None:
            rows.append(Ingredient(name, digest, asked=False))
            continue
        wider = again.ring.judgements.get(digest, own) if again else own
        known = {(f.group, f.target) for f in own.findings}
        carried: tuple[Finding, ...] = (
            *own.findings,
            *(f for f in wider.findings if (f.group, f.target) not in known),
        )
        scores = [s for judged in (own, wider) for s in judged.scores.asr if s.finding or s.suspicious]
        fired = {(s.family, s.target) for s in scores}
        kept = [r for r in left if (r.family, r.target) in fired]
        if again is not None and again.part is not None:
            kept = [replace(r, before=rate_in(again.part, r, digest)) for r in kept]
        stored = scans.get(digest)
        rows.append(
            Ingredient(
                reference=name,
                digest=digest,
                carried=carried,
                left=tuple(kept),
                clean=own.scores.cacc,
                scan=stored.id if stored else None,
            )
        )
    return tuple(rows)


def carried_changes(
    before: Scan, rows: Sequence[Ingredient], ring: Ring, again: Rescan, part: Part
) -> tuple[Change, ...]:
    """How the rates of what partners carry, and the suspect does not, changed from the partner to the merge."""
    known = {(s.family, s.variant, s.target) for s in before.scores.asr if s.finding or s.suspicious}
    found = []
    for row in rows[1:]:
        judged = [r.judgements[row.digest] for r in (ring, again.ring) if row.digest in r.judgements]
        flagged = dict.fromkeys(
            (s.family, s.variant, s.target) for j in judged for s in j.scores.asr if s.finding or s.suspicious
        )
        if row.digest not in part.references:
            continue
        for family, variant, target in flagged:
            name, index = f"{family}/{variant}", part.question.labels.index(target)
            theirs = part.references[row.digest].probes
            if (family, variant, target) in known or name not in theirs or name not in part.merged.probes:
                continue
            counted = rows_of(part, name, index)
            was = share(theirs[name].trigger, index)[counted]
            is_now = share(part.merged.probes[name].trigger, index)[counted]
            measure = asr_measure(family, variant, target, row.reference)
            delta = Paired.of(is_now, was).interval()
            found.append(Change(measure, float(np.nanmean(was)), float(np.nanmean(is_now)), delta))
    return tuple(found)
