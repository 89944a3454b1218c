"""What is to be said of the partners: students among them, backdoors of their own, and what each is worth alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from auditor.audit.compare import Side, agreement, clean_change
from auditor.audit.rescan import Rescan
from auditor.audit.residual import Fired, Part, excess_alone
from auditor.audit.stamp import Alone
from auditor.models.files.origin import is_student
from auditor.scan.judgement.ingredients import Ring
from probes.answer import Shares
from store.records import Finding, Profile, Scan


def students_in_words(partners: Sequence[Profile]) -> list[str]:
    """Of each partner that learnt from the suspect, that it is no independent model."""
    return [
        f"the partner {p.ref.reference} is a student of the suspect and no independent model: it learnt the suspect's "
        "answers to ordinary texts"
        for p in partners
        if is_student(p)
    ]


def partners_in_words(partners: Sequence[Profile], ring: Ring, scans: Mapping[str, Scan]) -> list[str]:
    """The backdoors that partners have themselves, and where the scans that found them are stored."""

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


def partners_alone(
    again: Rescan,
    partners: Sequence[Profile],
    suspect: Side,
    merged: Side,
    parts: Sequence[Part],
    fired: Fired,
    likely: Mapping[str, Shares],
) -> list[Alone]:
    """What each partner would be worth by itself, from the answers that it gave as a reference.

    Args:
        likely: by digest, how probable models that write find the suspect's clean answers.
    """
    found = []
    for profile in partners:
        digest = profile.ref.digest
        if digest not in parts[0].references or digest not in again.ring.judgements:
            continue
        answers, own = parts[0].references[digest], again.ring.judgements[digest]
        theirs = likely.get(digest)
        clean = own.scores.cacc.value if own.scores.cacc else agreement(suspect.trials, answers)
        if theirs is not None:
            clean = float(np.nanmean(theirs))
        shown = frozenset((s.group, s.target) for s in own.scores.asr if s.finding or s.suspicious)
        excess = max(excess_alone(fired, part, digest, again.measures) for part in parts)
        ahead = clean_change(merged, Side(merged.scan, answers, theirs), suspect.trials.reference).delta
        bad = bool(own.incomplete) or bool(shown)
        found.append(Alone(profile.ref.reference, excess, clean, bad, ahead, shown))
    return found
