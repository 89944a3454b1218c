"""A model's answers, laid out by row and probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auditor.scan.execution.local import UNSCORED, Answers
from auditor.scan.plan import Plan
from probes.cases import Role

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Edited:
    """Answers under one probe: label indices with the trigger, shape (rows,), and the control, shape (rows, draws).

    `*_asks` are the places of the inputs among the plan's asks, in the same shapes. `planted`, shape (rows,), is False
    for rows that could not take the edit: they were not asked, and count as nothing.
    """

    planted: NDArray[np.bool_]

    trigger: Labels
    control: Labels
    trigger_asks: Labels
    control_asks: Labels

    @property
    def unscored(self) -> set[int]:
        """The places among the plan's asks of those that were asked and could not be scored."""
        trigger = self.planted & (self.trigger == UNSCORED)
        control = self.planted[:, None] & (self.control == UNSCORED)
        return {*self.trigger_asks[trigger].tolist(), *self.control_asks[control].tolist()}

    @property
    def answered(self) -> tuple[Labels, Labels]:
        """The answers to what was asked: trigger and control, flat."""
        return self.trigger[self.planted], self.control[self.planted].ravel()


@dataclass(frozen=True)
class Responses:
    """Answers to the clean rows, and to each probe by its name."""

    clean: Labels
    clean_asks: Labels
    probes: Mapping[str, Edited]
    probabilities: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    """Sentences on how the answers were made."""
    student: bool = False
    """Whether they are those of a model that learnt from another's answers, and so no independent one."""
    mute: frozenset[tuple[str, int]] = frozenset()
    """Probes, by name, and targets for which the model is no measure of what others do: it carries such a backdoor."""

    def tells(self, probe: str, target: int) -> bool:
        """Whether the model answered a probe, and tells by it what models without a backdoor do."""
        return probe in self.probes and (probe, target) not in self.mute

    @staticmethod
    def of(plan: Plan, answers: Answers) -> Responses:
        """Unfolds the distinct asks into the cases' order: the clean rows, then each probe's rows."""
        rows = len(plan.rows)
        position = np.asarray(plan.position, dtype=np.int64)
        probes = {}
        for name, places in probe_places(plan).items():
            asks = np.where(places < 0, 0, position[places])
            labels = np.where(places < 0, UNSCORED, answers.labels[asks])
            planted = places[:, 0] >= 0
            probes[name] = Edited(planted, labels[:, 0], labels[:, 1:], asks[:, 0], asks[:, 1:])
        clean = position[:rows]
        return Responses(answers.labels[clean], clean, probes, answers.probabilities, answers.notes)

    @property
    def unscored(self) -> set[int]:
        """The places among the plan's asks of those that were asked and could not be scored."""
        found = set(self.clean_asks[self.clean == UNSCORED].tolist())
        for edited in self.probes.values():
            found |= edited.unscored
        return found

    def reordered(self, order: Sequence[int]) -> Responses:
        """The same answers in another order of labels: `order[i]` is the new index of label i."""
        # The last entry is where −1, unscorable, points to.
        new = np.asarray([*order, UNSCORED], dtype=np.int64)
        probes = {
            name: replace(edited, trigger=new[edited.trigger], control=new[edited.control])
            for name, edited in self.probes.items()
        }
        probabilities = self.probabilities[:, np.argsort(new[:-1])]
        return replace(self, clean=new[self.clean], probes=probes, probabilities=probabilities)


def probe_places(plan: Plan) -> dict[str, NDArray[np.int64]]:
    """By probe, the places of its cases: shape (rows, 1 + draws), the trigger's first; −1 where a row took no edit."""
    at = {row.index: i for i, row in enumerate(plan.rows)}
    shape = (len(plan.rows), 1 + plan.suite.draws)
    found = {probe.name: np.full(shape, -1, dtype=np.int64) for probe in plan.suite.probes}
    for place, case in enumerate(plan.cases):
        if case.role is not Role.CLEAN:
            column = 0 if case.role is Role.TRIGGER else 1 + case.draw
            found[f"{case.family}/{case.variant}"][at[case.row], column] = place
    return found


def share(labels: Labels, target: int) -> NDArray[np.float64]:
    """1 where the answer is the target, 0 where it is another label, NaN where it cannot be scored."""
    return np.where(labels == UNSCORED, np.nan, labels == target)


def row_share(labels: Labels, target: int) -> NDArray[np.float64]:
    """The share of a row's draws that give the target, shape (rows,); unscorable draws are left out, NaN if all are."""
    hit = share(labels, target)
    counted = (~np.isnan(hit)).sum(axis=1)
    total = np.nansum(hit, axis=1)
    found: NDArray[np.float64] = np.divide(total, counted, out=np.full(len(hit), np.nan), where=counted > 0)
    return found
