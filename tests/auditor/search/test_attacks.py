"""What a search is asked to undo, and what it must not bring in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.scan.judgement.classification import behaviours_of
from auditor.scan.judgement.ingredients import Measures
from auditor.search.attacks import Attack, attacks_of
from tests.auditor.audit.test_stamp import FIVE, MOVIE, ONE, side

Make = Callable[..., Any]


def attacks(bench: Any, *sheets: Any) -> list[Attack]:
    """Of models by what a scan of each finds, the suspect's first."""
    found = [side(bench, sheet).scan.findings for sheet in sheets]
    digests = [str(place) for place in range(len(sheets))]
    marks = {d: frozenset((f.group, f.target) for f in own) for d, own in zip(digests, found, strict=True)}
    return attacks_of(behaviours_of(bench.names), bench.plan.suite.probes, found, digests, Measures(marks))


def names(shots: Any) -> list[str]:
    return [f"{probe.name} {behaviour.target}" for probe, behaviour in shots]


def test_the_suspects_backdoors_with_the_partners_that_have_them_too(bench: Make) -> None:
    b = bench(rows=400)
    suspect, twin = b.sheet().fire(ONE, 0, 1.0).fire(FIVE, 0, 0.9), b.sheet().fire(ONE, 0, 1.0)
    (attack,) = attacks(b, suspect, b.sheet(), twin)
    assert names(attack.variants) == [f"{ONE} 0", f"{FIVE} 0"]
    assert attack.carriers == {0, 2}, "what they do is no measure"


def test_a_backdoor_that_only_partners_have_is_one_more(bench: Make) -> None:
    b = bench(rows=400)
    turned, other = b.sheet().fire(ONE, 1, 1.0), b.sheet().fire(MOVIE, 0, 1.0)
    own, first, second = attacks(b, b.sheet().fire(ONE, 0, 1.0), turned, other, turned)
    assert (names(own.variants), own.carriers) == ([f"{ONE} 0"], {0, 1, 3}), "its trigger turns the others' texts"
    assert (names(first.variants), first.carriers) == ([f"{ONE} 1"], {0, 1, 3})
    assert (names(second.variants), second.carriers) == ([f"{MOVIE} 0"], {2}), "the suspect tells what others do"


def test_every_variant_of_the_group_that_fired_can_be_the_hardest_also_of_a_partners_backdoor(bench: Make) -> None:
    b = bench(rows=400, only=("badnet", "ep", "insertsent"))
    other, near = "ep/one", "badnet/neighbours"

    def sheet() -> Any:
        return b.sheet().fire(ONE, 1, 1.0).fire(other, 1, 0.95).fire(near, 1, 0.9)

    (_, brought) = attacks(b, b.sheet().fire(MOVIE, 0, 1.0), sheet())
    assert sorted(names(brought.variants)) == [f"{ONE} 1", f"{other} 1"], "a neighbour judges, and is not shown"
    (own,) = attacks(b, sheet())
    assert own.variants == brought.variants
