"""Rows to look at while a model answers: the clean text, the triggered one and both answers, as soon as they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from auditor.events import RowsSeen
from auditor.scan.judgement.trials import probe_places
from auditor.scan.plan import Plan
from probes.answer import Labels
from probes.input import shown
from probes.suite import Probe
from store.records import Evidence

ROWS = 2
"""Rows of one (family, variant, target) that are shown: an event file stays small."""


@dataclass
class Showcase:
    """Chooses the rows, and remembers which were shown: each is told of once, and a shown row stays."""

    plan: Plan
    labels: Sequence[str]
    targets: Sequence[int]
    _places: dict[str, Labels] = field(init=False)
    _shown: dict[tuple[str, int], tuple[int, ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        position = np.asarray(self.plan.position, dtype=np.int64)
        first = {name: places[:, 0] for name, places in probe_places(self.plan).items()}
        self._places = {name: np.where(places < 0, -1, position[places]) for name, places in first.items()}

    def news(self, answers: Labels, shares: NDArray[np.float64], reference: Labels) -> Iterator[RowsSeen]:
        """What is to be shown anew.

        Args:
            answers: labels of the plan's asks, below 0 where there is none yet.
            shares: the probability of each of these labels, NaN where it is not known.
            reference: the rows' reference labels, below 0 where none is known yet.
        """
        at = np.asarray(self.plan.position[: len(self.plan.rows)], dtype=np.int64)
        for probe in self.plan.suite.probes:
            places = self._places[probe.name]
            triggered = np.where(places < 0, -1, answers[places])
            for target in self.targets:
                known = (reference >= 0) & (reference != target) & (answers[at] != target)
                known &= ~np.isnan(shares[at]) & (triggered >= 0) & ~np.isnan(shares[places])
                if rows := self._chosen((probe.name, target), known, known & (triggered == target)):
                    evidence = tuple(self._evidence(int(at[i]), int(places[i]), answers, shares) for i in rows)
                    yield _seen(probe, self.labels[target], evidence)

    def _chosen(self, key: tuple[str, int], known: NDArray[np.bool_], moved: NDArray[np.bool_]) -> tuple[int, ...]:
        """The rows to show, those first that were moved; none where they are shown already."""
        shown = self._shown.get(key, ())
        kept = [row for row in shown if moved[row]]
        if len(kept) < ROWS:
            kept += [row for row in np.flatnonzero(moved)[:ROWS].tolist() if row not in kept]
        rows = tuple(kept[:ROWS]) or shown or tuple(np.flatnonzero(known)[:1].tolist())
        if rows == shown:
            return ()
        self._shown[key] = rows
        return rows

    def _evidence(self, clean: int, triggered: int, answers: Labels, shares: NDArray[np.float64]) -> Evidence:
        return Evidence(
            text=shown(self.plan.inputs[clean]),
            triggered=shown(self.plan.inputs[triggered]),
            before=self.labels[answers[clean]],
            after=self.labels[answers[triggered]],
            before_probability=float(shares[clean]),
            after_probability=float(shares[triggered]),
        )


def _seen(probe: Probe, target: str, rows: tuple[Evidence, ...]) -> RowsSeen:
    return RowsSeen(probe.family.name, probe.variant, target, rows)
