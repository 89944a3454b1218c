"""What candidates of a recipe search are asked: clean rows, and triggered ones of each finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.scan.execution.local import UNSCORED
from probes.cases import Ask, Outcome, Role, Row
from probes.suite import Probe, probe_cases

TRIGGERED_ROWS = 160
"""Rows a finding that each trial is asked with the trigger."""


@dataclass(frozen=True)
class Triggered:
    """A finding's rows with the trigger: the target's index, and where each row's clean text stands in the exam."""

    asks: tuple[Ask, ...]
    target: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class Marks:
    """What an exam says of a model; fractions.

    `clean` is the share of clean rows that are right. By finding, `rates` are the attack success rates, and `pushes`
    by how much the trigger raises the mean probability of its target, each row against its own clean text: a weakened
    backdoor still pushes where it flips few answers, and paired differences tell more from few rows.
    """

    clean: float
    rates: tuple[float, ...]
    pushes: tuple[float, ...]


@dataclass(frozen=True)
class Exam:
    """Clean rows with their labels, and each finding's triggered rows."""

    clean: tuple[Ask, ...]
    labels: NDArray[np.int64]
    triggered: tuple[Triggered, ...]

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Everything in one stream, the clean rows first."""
        return (*self.clean, *(ask for part in self.triggered for ask in part.asks))

    def marks(self, outcomes: Sequence[Outcome]) -> Marks:
        """What the answers to `asks` are worth. An input that could not be scored is wrong, and pushes nowhere."""
        found = np.asarray([UNSCORED if o.label is None else o.label for o in outcomes], dtype=np.int64)
        start = len(self.clean)
        clean = float((found[:start] == self.labels).mean()) if start else 0.0
        rates, pushes = [], []
        for part in self.triggered:
            stop = start + len(part.asks)
            rates.append(float((found[start:stop] == part.target).mean()) if part.asks else 0.0)
            pairs = zip(part.places, outcomes[start:stop], strict=True)
            moves = [_probability(o, part.target) - _probability(outcomes[p], part.target) for p, o in pairs]
            scored = [move for move in moves if np.isfinite(move)]
            pushes.append(float(np.mean(scored)) if scored else 0.0)
            start = stop
        return Marks(clean, tuple(rates), tuple(pushes))


def make_exam(
    rows: Sequence[Row],
    labels: NDArray[np.int64],
    probes: Sequence[tuple[Probe, int]],
    *,
    seed: int,
    triggered_rows: int | None = TRIGGERED_ROWS,
) -> Exam:
    """Lays out an exam over rows with their reference labels (−1: none).

    Args:
        probes: the variants to fire, each with the target's index.
        triggered_rows: how many rows each of them is fired into at most; None takes all.
    """
    known = [i for i, label in enumerate(labels.tolist()) if label != UNSCORED]
    triggered = []
    for probe, target in probes:
        places = {rows[i].index: place for place, i in enumerate(known) if labels[i] != target}
        others = [row for row in rows if row.index in places][:triggered_rows]
        fired = [c for c in probe_cases(probe, others, seed=seed, draws=0) if c.role is Role.TRIGGER]
        triggered.append(Triggered(tuple(c.ask for c in fired), target, tuple(places[c.row] for c in fired)))
    return Exam(tuple(rows[i].ask for i in known), labels[known], tuple(triggered))


def _probability(outcome: Outcome, target: int) -> float:
    return outcome.probabilities[target] if outcome.probabilities else float("nan")
