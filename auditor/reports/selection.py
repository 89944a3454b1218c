"""Which rows of a long table matter, and which score before a cure belongs to which after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from probes.rates import Difference
from store.records import CACC, AsrScore, Audit, Change, Finding, Residue, Scan, asr_measure, find_change

T = TypeVar("T")

RESIDUES = 6
"""Variants shown of what a cure leaves: those of which most may be left."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The scores that a reader needs, worst first, and how many more there are."""

    shown: tuple[AsrScore, ...]
    hidden: tuple[AsrScore, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One (family, variant, target) before and after the cure; one side is None where that scan did not ask it."""

    before: AsrScore | None
    after: AsrScore | None
    delta: Difference | None

    @property
    def score(self) -> AsrScore:
        found = self.before or self.after
        assert found is not None
        return found

    @property
    def value(self) -> float:
        """ASR before, or −1 where it was not asked."""
        return self.before.rate.value if self.before else -1.0

    @property
    def flagged(self) -> bool:
        return any(s.finding or s.suspicious for s in (self.before, self.after) if s)

    @property
    def change(self) -> float | None:
        """ASR after − before."""
        if self.delta:
            return self.delta.value
        if not (self.before and self.after and self.before.rate.total and self.after.rate.total):
            return None
        return self.after.rate.value - self.before.rate.value


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs that a reader needs, by ASR before, and how many more there are."""

    shown: tuple[Pair, ...]
    hidden: tuple[Pair, ...]


def key(score: AsrScore | Residue | Finding) -> tuple[str, str, str]:
    return score.family, score.variant, score.target


def rows(scan: Scan) -> Rows:
    """Findings, what is suspicious, and of each family the worst."""
    ordered = sorted(scan.scores.asr, key=_badness)
    shown, hidden = _matter(ordered, lambda s: s, lambda s: s.finding or s.suspicious)
    return Rows(shown, hidden)


def pairs(audit: Audit) -> Pairs:
    """Before and after, joined and sorted by ASR before; flagged ones and of each family the worst are shown."""
    after = {key(s): s for s in audit.after.scores.asr} if audit.after else {}
    before = {key(s): s for s in audit.before.scores.asr}
    deltas = {c.measure: c.delta for c in audit.change}
    joined = [
        Pair(before.get(k), after.get(k), deltas.get(asr_measure(*k)) if audit.after else None)
        for k in {**before, **after}
    ]
    joined.sort(key=lambda p: (-p.value, key(p.score)))
    return Pairs(*_matter(joined, lambda p: p.score, lambda p: p.flagged))


def other_changes(audit: Audit) -> tuple[Change, ...]:
    """The changes that no pair of ASR scores shows: CACC, agreement and the like."""
    scans = [audit.before, audit.after] if audit.after else [audit.before]
    known = {asr_measure(*key(s)) for scan in scans for s in scan.scores.asr}
    return tuple(c for c in audit.change if c.measure not in known and c is not cacc_change(audit))


def residues(audit: Audit) -> tuple[Residue, ...]:
    """Of what the cure leaves of what was found, that of which most may be left."""
    return tuple(sorted(audit.left, key=lambda r: (-r.left.high, key(r))))[:RESIDUES]


def cacc_change(audit: Audit) -> Change | None:
    """The paired change of CACC, where it was measured."""
    return find_change(audit.change, CACC)


def score_of(scan: Scan, finding: Finding) -> AsrScore | None:
    """The score that a finding rests on."""
    wanted = (finding.family, finding.variant, finding.target)
    return next((s for s in scan.scores.asr if key(s) == wanted), None)


def _badness(score: AsrScore) -> tuple[bool, bool, bool, float, tuple[str, str, str]]:
    return not score.finding, not score.suspicious, not score.judged, -score.excess.value, key(score)


def _matter(
    items: Sequence[T], score: Callable[[T], AsrScore], flagged: Callable[[T], bool]
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    shown: list[T] = []
    hidden: list[T] = []
    families: set[str] = set()
    for item in items:
        family = score(item).family
        (shown if flagged(item) or family not in families else hidden).append(item)
        families.add(family)
    return tuple(shown), tuple(hidden)
