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
    by_name = {p.name: p for p in probes}

    def variants(finding: Finding) -> tuple[Shot, ...]:
        """What fired of a finding's group, the variant that it shows first. Neighbours are left to judge."""
        target = before.model.labels.index(finding.target)
        tags = [by_name[name] for name in finding.tags if name in by_name]
        alike = [p for p in tags if p.family.group == finding.group and p.variant not in p.family.reach]
        return tuple((p, target) for p in (by_name[f"{finding.family}/{finding.variant}"], *alike))

    def carriers(group: str, target: str) -> frozenset[int]:
        return frozenset(
            place for place, own in enumerate(carried) if any((f.group, f.target) == (group, target) for f in own)
        )

    found = [Attack(variants(f), carriers(f.group, f.target)) for f in before.findings]
    known = {(s.family, s.variant, s.target) for s in before.scores.asr if s.finding or s.suspicious}
    for f in (f for own in carried for f in own):
        name = f.family, f.variant, f.target
        if name not in known and f"{f.family}/{f.variant}" in by_name:
            known.add(name)
            found.append(Attack(variants(f), carriers(f.group, f.target)))
    return found
