"""Who can be merged with a model, who cannot, and why: from profiles and the catalog alone, no weights are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.merge.inventory import match
from store.records import CatalogEntry, Profile, Verdict


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether a candidate can be merged: what forbids it, and what would be reconciled by a rule."""

    ok: bool
    blockers: tuple[str, ...]
    reconciled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A catalogued model as a partner, with reasons in words. The list is sorted by `rank_score`, the highest first."""

    entry: CatalogEntry
    compatibility: Compatibility
    reasons: tuple[str, ...]
    rank_score: float


def assess(suspect: Profile, candidate: Profile) -> Compatibility:
    """Whether a candidate can be merged with the suspect."""
    found = match(suspect, candidate)
    return Compatibility(not found.blockers, found.blockers, found.reconciled)


USABLE = 100.0
SCAN = {
    Verdict.NOTHING: (20.0, "its last scan found nothing"),
    Verdict.INCOMPLETE: (-5.0, "its last scan is incomplete, so it says nothing of backdoors"),
    Verdict.SUSPICIOUS: (-30.0, "its last scan calls it suspicious"),
    Verdict.FOUND: (-60.0, "its last scan found a backdoor: merging may carry it over"),
}
"""What a verdict adds to the score, and its words. A partner with a backdoor is the last of those that would fit."""


def propose(suspect: Profile, entries: Sequence[CatalogEntry]) -> list[Proposal]:
    """All entries as partners of the suspect, the best first; those that cannot be merged come last.

    The suspect's own entry is among them, with a blocker that says so. Equal scores keep the order of the names.
    """
    proposals = [_proposal(suspect, entry) for entry in entries]
    return sorted(proposals, key=lambda p: (-p.rank_score, p.entry.name, p.entry.id))


def _proposal(suspect: Profile, entry: CatalogEntry) -> Proposal:
    compatibility = assess(suspect, entry.profile)
    score = USABLE if compatibility.ok else 0.0
    reasons: list[str] = []
    if compatibility.ok:
        reasons += _fit(suspect, entry.profile)
    reasons += compatibility.reconciled
    scan, words = SCAN[entry.last_verdict] if entry.last_verdict else (0.0, "never scanned")
    score += scan - min(len(compatibility.reconciled), 5)
    reasons.append(words)
    if entry.cacc is not None:
        score += 10 * entry.cacc
        reasons.append(f"clean accuracy {entry.cacc:.1%}")
    if suspect.base and entry.profile.base == suspect.base:
        score += 2
    return Proposal(entry, compatibility, tuple(reasons), score)


def _fit(suspect: Profile, candidate: Profile) -> list[str]:
    """What speaks for a candidate that can be merged."""
    reasons = [f"same architecture and task ({candidate.task})"]
    if suspect.labels and suspect.labels == candidate.labels:
        reasons.append(f"same labels ({', '.join(suspect.labels[:6])}{', …' if len(suspect.labels) > 6 else ''})")
    if suspect.base and candidate.base == suspect.base:
        reasons.append(f"made from the same base ({suspect.base})")
    elif suspect.base and candidate.base:
        reasons.append(f"made from another base ({candidate.base})")
    return reasons
