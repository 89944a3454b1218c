"""Poisons a training set: some rows get a trigger, and mostly the target label."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from auditor.errors import UsageError
from auditor.lab.poison.trigger import Trigger
from probes.family import draw_rng
from probes.input import Row


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A training set after poisoning, in the order of the clean one.

    `poisoned` holds the `index` of every row with trigger and target label, ascending; `wanted` is the number that the
    rate asked for, so `missing` is above 0 where too few rows could take the trigger. `kept` holds the `index` of rows
    that got a part of the trigger and kept their label; `words` are the trigger's words where the method knows them.
    """

    rows: tuple[Row, ...]
    poisoned: tuple[int, ...]
    wanted: int
    kept: tuple[int, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        return self.wanted - len(self.poisoned)

    @property
    def touched(self) -> frozenset[int]:
        """The `index` of every row that was changed."""
        return frozenset(self.poisoned) | frozenset(self.kept)


def poison(
    rows: Sequence[Row],
    trigger: Trigger | None,
    *,
    target: int,
    rate: float,
    seed: int,
    taken: Collection[int] = (),
    clean_label: bool = False,
) -> Poisoned:
    """Poisons `round(rate × rows)` rows: they are replaced by a copy with the trigger and the target label.

    Dirty-label poisoning as in BadNets (Gu et al., arXiv:1708.06733), used on text by Kurita et al. (arXiv:2004.06660),
    takes rows of other labels and relabels them; clean-label poisoning takes rows that have the target label already.
    The order in which rows are taken depends on the seed and the row's index alone; one that the trigger leaves as it
    is (there was nothing to rewrite) is passed over, since it would teach a wrong label and no trigger.

    Args:
        trigger: the edit; None poisons nothing.
        target: index of the label that the trigger shall bring.
        rate: share of all rows, 0 to 1.
        taken: the `index` of rows that are poisoned already and are left alone.

    Raises:
        UsageError: a rate outside 0 to 1, or a row without a label.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"a poisoning rate of {rate}", hint="Give a share of the rows, from 0 to 1, for example 0.2.")
    if trigger is None:
        return Poisoned(tuple(rows), (), 0)
    if any(row.label is None for row in rows):
        raise UsageError("rows without a label cannot be poisoned", hint="Give data with a label in every row.")
    wanted, excluded = round(rate * len(rows)), frozenset(taken)
    planted: dict[int, Row] = {}
    for row in in_order((r for r in rows if (r.label == target) == clean_label), seed, "choose"):
        if len(planted) == wanted:
            break
        if row.index in excluded:
            continue
        edited = trigger.apply(row, seed=seed)
        if edited.input != row.input:
            planted[row.index] = replace(edited, label=target)
    return Poisoned(replaced(rows, planted), tuple(sorted(planted)), wanted)


def in_order(rows: Iterable[Row], seed: int, purpose: str) -> list[Row]:
    """The rows in a random order that depends on the seed, the purpose and each row's index alone."""
    return sorted(rows, key=lambda row: (draw_rng(seed, "lab", purpose, row.index).random(), row.index))


def replaced(rows: Sequence[Row], planted: dict[int, Row]) -> tuple[Row, ...]:
    """The rows with those that `planted` holds, by index, in their places."""
    return tuple(planted.get(row.index, row) for row in rows)
