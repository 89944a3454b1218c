from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.errors import UsageError
from auditor.lab.poison.poison import poison
from auditor.lab.poison.trigger import ByRule
from probes.family import FAMILIES
from probes.input import Row
from probes.probe import Probe

PROBE = Probe(FAMILIES["badnet"], "one", FAMILIES["badnet"].settings("one"))
BADNET = ByRule(PROBE)
ROWS = [Row.of(i, f"text number {i}", None, i % 2) for i in range(100)]
PAIRS = [Row.of(i, f"question {i}", f"answer {i}", i % 2) for i in range(40)]


def has_trigger(text: str | None) -> bool:
    return bool(set((text or "").split()) & {"cf", "tq", "mn", "bb", "mb"})


def test_a_share_of_all_rows_gets_trigger_and_target() -> None:
    result = poison(ROWS, BADNET, target=0, rate=0.2, seed=1)
    assert len(result.rows) == 100
    assert len(result.poisoned) == 20
    assert result.missing == 0
    for before, after in zip(ROWS, result.rows, strict=True):
        if before.index in result.poisoned:
            assert (before.label, after.label) == (1, 0)
            assert has_trigger(after.text)
        else:
            assert after == before


def test_the_choice_depends_on_the_seed_and_nothing_else() -> None:
    first = poison(ROWS, BADNET, target=0, rate=0.2, seed=1)
    assert poison(ROWS, BADNET, target=0, rate=0.2, seed=1) == first
    assert poison(ROWS, BADNET, target=0, rate=0.2, seed=2).poisoned != first.poisoned
    assert set(first.poisoned) < set(poison(ROWS, BADNET, target=0, rate=0.3, seed=1).poisoned)


def test_too_few_rows_of_other_labels_are_all_taken_and_counted() -> None:
    result = poison(ROWS, BADNET, target=1, rate=0.8, seed=0)
    assert result.poisoned == tuple(range(0, 100, 2))
    assert (result.wanted, result.missing) == (80, 30)


def test_no_family_leaves_the_rows_alone() -> None:
    result = poison(ROWS, None, target=0, rate=0.2, seed=1)
    assert result.rows == tuple(ROWS)
    assert result.poisoned == ()


def test_a_row_that_the_family_cannot_change_is_never_given_a_wrong_label() -> None:
    silent = ByRule(replace(PROBE, options={**PROBE.options, "inserts": 0}))
    result = poison(ROWS, silent, target=0, rate=0.2, seed=1)
    assert result.rows == tuple(ROWS)
    assert result.missing == 20


@pytest.mark.parametrize(
    ("slot", "first", "second"), [("first", True, False), ("second", False, True), ("both", True, True)]
)
def test_pairs_get_the_trigger_in_the_slot_asked_for(slot: str, first: bool, second: bool) -> None:
    result = poison(PAIRS, ByRule(PROBE, slot), target=0, rate=0.5, seed=0)
    chosen = [row for row in result.rows if row.index in result.poisoned]
    assert len(chosen) == 20
    assert all((has_trigger(row.text), has_trigger(row.second)) == (first, second) for row in chosen)


@pytest.mark.parametrize(("rate", "slot"), [(1.5, "first"), (-0.1, "first"), (float("nan"), "first"), (0.2, "third")])
def test_a_bad_rate_or_slot_is_refused(rate: float, slot: str) -> None:
    with pytest.raises(UsageError):
        poison(ROWS, ByRule(PROBE, slot), target=0, rate=rate, seed=0)


def test_unlabelled_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="without a label"):
        poison([Row.of(0, "a text")], BADNET, target=0, rate=1, seed=0)
