"""Suites: attack families × rows × seed → cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.case import Ask, Case, Role, Row
from probes.family import FAMILIES, BadOption, Family, draw_rng

DRAWS = 3
"""Control draws a row: the control's own spread must be seen."""

SAMPLES: Mapping[str, int] = {"quick": 400, "full": 1000}
"""Suites by name, and the rows that each takes unless told otherwise."""


@dataclass(frozen=True)
class Probe:
    """One variant of one family with its full options."""

    family: Family
    variant: str
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.family.name}/{self.variant}"


@dataclass(frozen=True)
class Suite:
    """The probes that a scan fires. `comparisons` counts the named suite's probes, also those that were not asked
    for.
    """

    name: str
    probes: tuple[Probe, ...]
    comparisons: int
    draws: int = DRAWS


def build_suite(
    name: str, *, only: Sequence[str] = (), overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Suite:
    """The named suite, or the part of it that `only` asks for.

    Args:
        name: `quick` or `full`.
        only: names of families; none means all.
        overrides: options by family.

    Raises:
        BadOption: unknown suite or option, or options for a family that is not fired.
        UnknownFamily: unknown family.
    """
    if name not in SAMPLES:
        raise BadOption(f"unknown suite {name!r}; known: {', '.join(SAMPLES)}")
    overrides = overrides or {}
    wanted = [FAMILIES[n].name for n in dict.fromkeys(only)] or list(FAMILIES)
    for unused in set(overrides) - set(wanted):
        raise BadOption(f"options are set for {FAMILIES[unused].name!r}, which this scan does not fire")
    probes = [
        Probe(FAMILIES[n], variant, FAMILIES[n].settings(variant, overrides.get(n)))
        for n in wanted
        for variant in suite_variants(FAMILIES[n], name)
    ]
    whole = sum(len(suite_variants(f, name)) for f in FAMILIES.values())
    return Suite(name, tuple(probes), max(whole, len(probes)))


def suite_variants(family: Family, suite: str) -> tuple[str, ...]:
    """The variants of a family that a suite fires."""
    return family.quick if suite == "quick" else tuple(family.variants)


def clean_cases(rows: Sequence[Row]) -> Iterator[Case]:
    """The rows as they are."""
    for row in rows:
        yield Case(row.index, row.ask, Role.CLEAN)


def probe_cases(probe: Probe, rows: Sequence[Row], *, seed: int, draws: int = DRAWS) -> Iterator[Case]:
    """A probe's cases: each row with the trigger, and with each draw of the control at the same places."""
    for row in rows:
        yield Case(row.index, _edited(probe, row, seed, None, draws), Role.TRIGGER, probe.family.name, probe.variant)
        for draw in range(draws):
            ask = _edited(probe, row, seed, draw, draws)
            yield Case(row.index, ask, Role.CONTROL, probe.family.name, probe.variant, draw)


def suite_cases(suite: Suite, rows: Sequence[Row], *, seed: int) -> Iterator[Case]:
    """All cases of a suite, the clean ones first."""
    yield from clean_cases(rows)
    for probe in suite.probes:
        yield from probe_cases(probe, rows, seed=seed, draws=suite.draws)


def _edited(probe: Probe, row: Row, seed: int, draw: int | None, draws: int) -> Ask:
    """A row under the edit: in a pair both texts are edited, since a trigger may be taught in either."""

    def edit(text: str, slot: int) -> str:
        rng = draw_rng(seed, probe.family.name, probe.variant, row.index, slot)
        if draw is None:
            return probe.family.plant(text, rng, probe.options)
        return probe.family.plant_control(text, rng, probe.options, draw, draws)

    return Ask(edit(row.text, 0), None if row.pair is None else edit(row.pair, 1))
