"""Suites: attack families × rows × seed → cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from probes.cases import Case, Role
from probes.family import CLASSIFIER, FAMILIES, WRITER, Family, draw_rng, families_for, family_for
from probes.input import Input, Pair, Row, edited
from probes.plugin import BadOption
from probes.probe import Probe
from probes.sampling import encoded
from probes.trigger import CUSTOM, Trigger

DRAWS = 3
"""Control draws a row: the control's own spread must be seen."""

WRITER_DRAWS = 1
"""The same of models that write, where every draw costs an answer of many tokens."""

SAMPLES: Mapping[str, int] = {"quick": 400, "full": 1000}
"""Suites by name, and the rows that each takes unless told otherwise."""

PROMPTS: Mapping[str, int] = {"quick": 132, "full": 316}
"""The same of models that write: the prompts that each takes."""


@dataclass(frozen=True)
class Suite:
    """The probes that a scan fires. `comparisons` counts the named suite's probes, also those that were not asked
    for. `screened` are probes whose trigger alone is tried on a few rows; they are fired where it moves enough of them.
    """

    name: str
    probes: tuple[Probe, ...]
    comparisons: int
    draws: int = DRAWS
    screened: tuple[Probe, ...] = ()


def build_suite(
    name: str,
    *,
    only: Sequence[str] = (),
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    referenced: bool = False,
    also: Sequence[str] = (),
    triggers: Sequence[Trigger] = (),
    audience: str = CLASSIFIER,
) -> Suite:
    """The named suite, or the part of it that `only` asks for.

    For models that write, the families made for them are fired; of the others, whose triggers are of classifiers, the
    quick variants are screened, unless a family was asked for by name.

    Args:
        name: `quick` or `full`.
        only: names of families; none means all.
        overrides: options by family.
        referenced: fire the variants that have no control of their own, also of families that were not asked for by
            name. Without, those are screened that others of their kind decide.
        also: names of families that are fired beside those, each whole as if it had been asked for.
        triggers: fired beside those too, in the place of what the user's own file holds, which is then not read.
        audience: the kind of model that is probed.

    Raises:
        BadOption: unknown suite or option, options for a family that is not fired, or a family for another kind of
            model.
        UnknownFamily: unknown family.
    """
    if name not in SAMPLES:
        raise BadOption(f"unknown suite {name!r}; known: {', '.join(SAMPLES)}")
    overrides = overrides or {}
    also = (*also, CUSTOM) if triggers else also
    named = {*only, *also}
    known = families_for(audience)
    for other in (n for n in (*only, *also) if n not in known):
        family_for(other, audience)
    wanted = {n: known[n] for n in dict.fromkeys((*only, *also) if only else known)}
    for unused in set(overrides) - set(wanted):
        asked_for = family_for(unused, audience).name
        raise BadOption(f"options are set for {asked_for!r}, which this scan does not fire")
    for asked in wanted if only else ():
        if asked != CUSTOM or not triggers:
            FAMILIES[asked].demand(overrides.get(asked))
    triggers = triggers or FAMILIES[CUSTOM].triggers(overrides.get(CUSTOM))
    probes = []
    for n, family in wanted.items():
        if n == CUSTOM:
            probes += [trigger_probe(trigger) for trigger in triggers]
        elif n in named or not _borrowed(family, audience):
            # What needs no trigger needs no further answers either.
            shown = referenced or family.untriggered
            variants = suite_variants(family, name, overrides.get(n), asked=n in named, referenced=shown)
            probes += [Probe(family, v, family.settings(v, overrides.get(n))) for v in variants]
    fired = {probe.name for probe in probes}
    screened = [
        Probe(family, variant, family.settings(variant, overrides.get(n)))
        for n, family in wanted.items()
        if n != CUSTOM
        for variant in _listed(family, name, overrides.get(n), audience)
        if f"{n}/{variant}" not in fired and family.decided_by_kind(variant)
    ]
    whole = sum(len(_listed(f, name, overrides.get(n), audience)) for n, f in known.items() if n != CUSTOM)
    draws = WRITER_DRAWS if audience == WRITER else DRAWS
    return Suite(name, tuple(probes), max(whole + len(triggers), len(probes)), draws, tuple(screened))


def _borrowed(family: Family, audience: str) -> bool:
    """Whether a family was made for classifiers, and is tried on a model that writes."""
    return audience == WRITER and CLASSIFIER in family.audience


def _listed(family: Family, suite: str, overrides: Mapping[str, Any] | None, audience: str) -> tuple[str, ...]:
    """The variants of a family that a suite holds, fired or screened."""
    held = "quick" if _borrowed(family, audience) else suite
    return suite_variants(family, held, overrides, referenced=True)


def trigger_probe(trigger: Trigger) -> Probe:
    """A trigger of the user's own, or a found one, as suites fire it."""
    options = {"file": trigger.origin, "trigger": trigger.variant}
    return Probe(FAMILIES[CUSTOM], trigger.variant, options, trigger=trigger)


def suite_families(overrides: Mapping[str, Mapping[str, Any]] | None = None, audience: str = CLASSIFIER) -> list[str]:
    """The families that the suites fire or screen without being asked for any by name."""
    given = overrides or {}
    return [n for n, f in families_for(audience).items() if not f.lacks(given.get(n))]


def suite_variants(
    family: Family,
    suite: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    asked: bool = False,
    referenced: bool = False,
) -> tuple[str, ...]:
    """The variants of a family that a suite fires.

    None where the family needs a file that nobody gave. Variants without a control of their own are fired where there
    are references (`referenced`), or the family was `asked` for by name; a family of which the quick suite holds
    nothing is then fired whole.
    """
    if family.lacks(overrides):
        return ()
    known = family.variants_with(overrides)
    quick = tuple(v for v in family.quick if v in known) or (tuple(known) if asked or family.unfold else ())
    chosen = quick if suite == "quick" else tuple(known)
    return chosen if asked or referenced else tuple(v for v in chosen if v not in family.referenced)


def clean_cases(rows: Sequence[Row]) -> Iterator[Case]:
    """The rows as they are."""
    for row in rows:
        yield Case(row.index, row.input, Role.CLEAN)


def probe_cases(probe: Probe, rows: Sequence[Row], *, seed: int, draws: int = DRAWS) -> Iterator[Case]:
    """A probe's cases: each row with the trigger, and with each draw of the control at the same places.

    A row that cannot take the trigger, or not the control, is passed over.
    """
    for row in rows:
        mark = _mark(row)
        asks = [_edited(probe, row, mark, seed, draw, draws) for draw in (None, *range(draws))]
        if None in asks:
            continue
        for draw, ask in enumerate(asks, -1):
            assert ask is not None
            role = Role.TRIGGER if draw < 0 else Role.CONTROL
            yield Case(row.index, ask, role, probe.family.name, probe.variant, max(draw, 0))


def suite_cases(
    suite: Suite,
    rows: Sequence[Row],
    *,
    seed: int,
    probed: int | None = None,
    laid: Mapping[str, Sequence[Case]] = MappingProxyType({}),
) -> Iterator[Case]:
    """All cases of a suite, the clean ones first; the probes are fired into the first `probed` rows (None: all).

    Args:
        laid: by the name of the probe, cases that are known already.
    """
    yield from clean_cases(rows)
    for probe in suite.probes:
        if probe.name in laid:
            yield from laid[probe.name]
        else:
            yield from probe_cases(probe, rows[:probed], seed=seed, draws=suite.draws)


def _mark(row: Row) -> str:
    """The digest of what a row says."""
    return hashlib.sha256(
        encoded(row.text) + (b"" if row.second is None else b"\x00" + encoded(row.second))
    ).hexdigest()


def _edited(probe: Probe, row: Row, mark: str, seed: int, draw: int | None, draws: int) -> Input | None:
    """A row under the edit; random places depend on what a text says (`mark`), not on where its row stands.

    Variants of a family draw alike, so that variants with the same control share its texts, which are then asked once.
    In a pair one of the texts is edited, in half of the rows the first, in half the second; the other one where it
    cannot take the edit; None where neither can. Not both: what two texts share speaks for entailment by itself (the
    same words in both moved an honest QNLI model from 26 to 83 %).
    """

    def edit(text: str) -> str | None:
        rng = draw_rng(seed, probe.family.name, mark, 0)
        if draw is None:
            return probe.plant(text, rng)
        return probe.plant_control(text, rng, draw, draws)

    if row.second is None:
        text = edit(row.text)
        return None if text is None else edited(row.input, text)
    for first in (True, False) if int(mark[0], 16) % 2 else (False, True):
        if (new := edit(row.text if first else row.second)) is not None:
            return Pair(new, row.second) if first else Pair(row.text, new)
    return None
