"""What a search is asked to undo, and what it must not bring in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.audit.attacks import attacks_of
from tests.auditor.audit.test_stamp import FIVE, MOVIE, ONE, side

Make = Callable[..., Any]


def names(shots: Any) -> list[str]:
    return [f"{probe.name} {target}" for probe, target in shots]


def test_the_suspects_backdoors_with_the_partners_that_have_them_too(bench: Make) -> None:
    b = bench(rows=400)
    suspect = side(b, b.sheet().fire(ONE, 0, 1.0).fire(FIVE, 0, 0.9)).scan
    twin = side(b, b.sheet().fire(ONE, 0, 1.0)).scan
    (attack,) = attacks_of(suspect, b.plan.suite.probes, [(), twin.findings])
    assert names(attack.variants) == [f"{ONE} 0", f"{FIVE} 0"]
    assert attack.carriers == {1}, "what it does is no measure"


def test_a_backdoor_that_only_partners_have_is_one_more(bench: Make) -> None:
    b = bench(rows=400)
    suspect = side(b, b.sheet().fire(ONE, 0, 1.0)).scan
    turned = side(b, b.sheet().fire(ONE, 1, 1.0)).scan
    other = side(b, b.sheet().fire(MOVIE, 0, 1.0)).scan
    own, first, second = attacks_of(suspect, b.plan.suite.probes, [turned.findings, other.findings, turned.findings])
    assert (names(own.variants), own.carriers) == ([f"{ONE} 0"], frozenset())
    assert (names(first.variants), first.carriers) == ([f"{ONE} 1"], {0, 2})
    assert (names(second.variants), second.carriers) == ([f"{MOVIE} 0"], {1})


def test_every_variant_of_the_group_that_fired_can_be_the_hardest_also_of_a_partners_backdoor(bench: Make) -> None:
    b = bench(rows=400, only=("badnet", "ep", "insertsent"))
    other, near = "ep/one", "badnet/neighbours"

    def sheet() -> Any:
        return b.sheet().fire(ONE, 1, 1.0).fire(other, 1, 0.95).fire(near, 1, 0.9)

    suspect = side(b, b.sheet().fire(MOVIE, 0, 1.0)).scan
    (_, brought) = attacks_of(suspect, b.plan.suite.probes, [side(b, sheet()).scan.findings])
    assert sorted(names(brought.variants)) == [f"{ONE} 1", f"{other} 1"], "a neighbour judges, and is not shown"
    (own,) = attacks_of(side(b, sheet()).scan, b.plan.suite.probes, [])
    assert own.variants == brought.variants
