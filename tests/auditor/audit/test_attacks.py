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
