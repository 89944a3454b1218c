"""What a recipe has to undo: the suspect's backdoors, and those that partners would bring in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probes.suite import Probe
from store.records import Finding, Scan

Shot = tuple[Probe, int]
"""A variant of an attack, with the target's index."""


@dataclass(frozen=True)
class Attack:
    """A backdoor by the variants that show it, and the places of the partners that have it too: what these do with it
    is no measure of what a model should.
    """

    variants: tuple[Shot, ...]
    carriers: frozenset[int] = frozenset()


def attacks_of(before: Scan, probes: Sequence[Probe], carried: Sequence[Sequence[Finding]]) -> list[Attack]:
    """Every finding of the suspect's scan, and what its partners have that it has not.

    Args:
        carried: by partner, the backdoors that it has itself.
    """
    by_name = {(p.family.name, p.variant): p for p in probes}

    def shot(family: str, variant: str, target: str) -> Shot:
        return by_name[family, variant], before.model.labels.index(target)

    def carriers(group: str, target: str) -> frozenset[int]:
        return frozenset(
            place for place, own in enumerate(carried) if any((f.group, f.target) == (group, target) for f in own)
        )

    found = [
        Attack(tuple(shot(*name, f.target) for name in _fired(before, by_name, f)), carriers(f.group, f.target))
        for f in before.findings
    ]
    known = {(s.family, s.variant, s.target) for s in before.scores.asr if s.finding or s.suspicious}
    for f in (f for own in carried for f in own):
        name = f.family, f.variant, f.target
        if name not in known and (f.family, f.variant) in by_name:
            known.add(name)
            found.append(Attack((shot(*name),), carriers(f.group, f.target)))
    return found


def _fired(before: Scan, probes: dict[tuple[str, str], Probe], finding: Finding) -> list[tuple[str, str]]:
    """The variants of a finding's family that fired for its target; the one that it shows comes first."""
    fired = [
        (s.family, s.variant)
        for s in before.scores.asr
        if (s.family, s.target, s.finding) == (finding.family, finding.target, finding.rule == "backdoor")
        and (s.finding or s.suspicious)
        and s.variant not in probes[s.family, s.variant].family.reach
    ]
    return list(dict.fromkeys([(finding.family, finding.variant), *fired]))
