"""What a recipe has to undo: the backdoors of every ingredient, found or suspected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.scan.judgement.ingredients import Measures
from probes.suite import Probe
from store.records import Finding

Shot = tuple[Probe, int]
"""A variant of an attack, with the target's index."""


@dataclass(frozen=True)
class Attack:
    """A backdoor by the variants that show it, the first the one that was found.

    `carriers` are the places of the models that have it too, the suspect's is 0: what these do with it is no measure of
    what a model should.
    """

    variants: tuple[Shot, ...]
    carriers: frozenset[int] = frozenset()


def attacks_of(
    labels: Sequence[str],
    probes: Sequence[Probe],
    found: Sequence[Sequence[Finding]],
    digests: Sequence[str],
    measures: Measures,
) -> list[Attack]:
    """Every finding of every ingredient, each group and target once for each family that shows it first.

    Args:
        found: by model, the suspect's first, what was found or suspected in it.
        digests: of the same models.
        measures: who of them is no measure of what.
    """
    by_name = {p.name: p for p in probes}

    def variants(finding: Finding) -> tuple[Shot, ...]:
        """What fired of a finding's group, the variant that it shows first. Neighbours are left to judge."""
        target = labels.index(finding.target)
        tags = [by_name[name] for name in finding.tags if name in by_name]
        alike = [p for p in tags if p.family.group == finding.group and p.variant not in p.family.reach]
        return tuple((p, target) for p in (by_name[f"{finding.family}/{finding.variant}"], *alike))

    attacks: list[Attack] = []
    known: set[tuple[str, int]] = set()
    for f in (f for own in found for f in own):
        if f"{f.family}/{f.variant}" not in by_name:
            continue
        shots = variants(f)
        if all((p.name, target) in known for p, target in shots):
            continue
        known |= {(p.name, target) for p, target in shots}
        able = measures.of(digests, f.group, f.target)
        carriers = {place for place, digest in enumerate(digests) if digest not in able}
        carriers |= {p for p, own in enumerate(found) if any((g.group, g.target) == (f.group, f.target) for g in own)}
        attacks.append(Attack(shots, frozenset(carriers)))
    return attacks
