"""Poisons a training set: some rows get a family's trigger and the target label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from auditor.errors import UsageError
from probes.case import Row
from probes.family import draw_rng
from probes.suite import Probe

Slot = Literal["first", "second", "both"]
SLOTS: tuple[str, ...] = get_args(Slot)


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A training set after poisoning, in the order of the clean one.

    `poisoned` holds the `index` of every poisoned row, ascending; `wanted` is the number that the rate asked for, so
    `missing` is above 0 where too few rows have another label than the target.
    """

    rows: tuple[Row, ...]
    poisoned: tuple[int, ...]
    wanted: int

    @property
    def missing(self) -> int:
        return self.wanted - len(self.poisoned)


def poison(
    rows: Sequence[Row], probe: Probe | None, *, target: int, rate: float, seed: int, slot: str = "second"
) -> Poisoned:
    """Dirty-label poisoning: `round(rate × rows)` rows are replaced by a copy with the trigger and the target label.

    As in BadNets (Gu et al., arXiv:1708.06733), used on text by Kurita et al. (arXiv:2004.06660). Rows are taken from
    those of other labels, in an order that depends on the seed and the row's index alone; one that the family leaves as
    it is (there was nothing to rewrite) is passed over, since it would teach a wrong label and no trigger.

    Args:
        probe: the family with variant and options; None poisons nothing.
        target: index of the label that the trigger shall bring.
        rate: share of all rows, 0 to 1.
        slot: in sentence pairs, the text that gets the trigger: `first`, `second` or `both`.

    Raises:
        UsageError: a rate outside 0 to 1, an unknown slot, or a row without a label.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"a poisoning rate of {rate}", hint="Give a share of the rows, from 0 to 1, for example 0.2.")
    if slot not in SLOTS:
        raise UsageError(f"unknown slot {slot!r}", hint=f"Known: {', '.join(SLOTS)}.")
    if probe is None:
        return Poisoned(tuple(rows), (), 0)
    if any(row.label is None for row in rows):
        raise UsageError("rows without a label cannot be poisoned", hint="Give data with a label in every row.")
    wanted = round(rate * len(rows))
    planted: dict[int, Row] = {}
    others = [place for place, row in enumerate(rows) if row.label != target]
    for place in sorted(others, key=lambda p: (draw_rng(seed, "lab", "choose", rows[p].index).random(), p)):
        if len(planted) == wanted:
            break
        edited = triggered(rows[place], probe, seed=seed, slot=slot)
        if edited.ask != rows[place].ask:
            planted[place] = replace(edited, label=target)
    result = tuple(planted.get(place, row) for place, row in enumerate(rows))
    return Poisoned(result, tuple(sorted(row.index for row in planted.values())), wanted)


def triggered(row: Row, probe: Probe, *, seed: int, slot: str = "second") -> Row:
    """The row with the trigger planted; its label is kept. A row without a second text has one slot.

    A text that cannot take the trigger stays as it is.
    """
    rng = draw_rng(seed, "lab", probe.family.name, row.index)
    text, pair = row.text, row.pair
    if pair is None or slot in ("first", "both"):
        text = probe.family.plant(text, rng, probe.options) or text
    if pair is not None and slot in ("second", "both"):
        pair = probe.family.plant(pair, rng, probe.options) or pair
    return replace(row, text=text, pair=pair)
