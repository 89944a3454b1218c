"""What candidates of a recipe search are asked: clean rows, and triggered ones of each finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auditor.search.attacks import Shot
from probes.answer import Answers
from probes.behaviour import Behaviour
from probes.cases import Role
from probes.input import Input, Row
from probes.suite import probe_cases

TRIGGERED_ROWS = 160
"""Rows a finding that each trial is asked with the trigger."""


class Asked(Protocol):
    """Who answers with labels."""

    def choose(self, inputs: Sequence[Input]) -> Answers: ...


@dataclass(frozen=True)
class Triggered:
    """A finding's rows with the trigger: what it brings about, and where each row's clean input stands among these."""

    inputs: tuple[Input, ...]
    behaviour: Behaviour
    places: tuple[int, ...]


@dataclass(frozen=True)
class Scored:
    """What an evaluation says of a model; fractions.

    `clean` is the share of clean rows that are right. By finding, `rates` are the attack success rates, and `pushes`
    by how much the trigger raises the mean probability of its target, each row against its own clean text: a weakened
    backdoor still pushes where it flips few answers, and paired differences tell more from few rows.
    """

    clean: float
    rates: tuple[float, ...]
    pushes: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """Clean rows with the answers that are right, and each finding's triggered rows."""

    clean: tuple[Input, ...]
    reference: Answers
    triggered: tuple[Triggered, ...]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Everything in one stream, the clean rows first."""
        return (*self.clean, *(item for part in self.triggered for item in part.inputs))

    def score(self, mixer: Asked) -> Scored:
        """What the merged model is worth."""
        return self.scored(mixer.choose(self.inputs))

    def scored(self, answers: Answers) -> Scored:
        """What the answers to `inputs` are worth. An input that could not be scored is wrong, and pushes nowhere."""
        start = len(self.clean)
        own = answers.take(np.arange(start))
        clean = float(np.nan_to_num(own.same(self.reference)).mean()) if start else 0.0
        rates, pushes = [], []
        for part in self.triggered:
            stop = start + len(part.inputs)
            found = answers.take(np.arange(start, stop))
            rates.append(float(np.nan_to_num(part.behaviour.fired(found)).mean()) if part.inputs else 0.0)
            before = part.behaviour.strength(own.take(np.asarray(part.places, dtype=np.int64)))
            moves = part.behaviour.strength(found) - before
            moves = moves[np.isfinite(moves)]
            pushes.append(float(np.mean(moves)) if moves.size else 0.0)
            start = stop
        return Scored(clean, tuple(rates), tuple(pushes))


def evaluation_of(
    rows: Sequence[Row],
    reference: Answers,
    shots: Sequence[Shot],
    *,
    seed: int,
    triggered_rows: int | None = TRIGGERED_ROWS,
) -> Evaluation:
    """Lays out an evaluation over rows with the answers that are right; rows without one are left out.

    Args:
        shots: the variants to fire, each with what it brings about.
        triggered_rows: how many rows each of them is fired into at most; None takes all.
    """
    known = np.flatnonzero(reference.scored)
    held = reference.take(known)
    triggered = []
    for probe, behaviour in shots:
        counted = behaviour.eligible(held)
        places = {rows[i].index: place for place, i in enumerate(known.tolist()) if counted[place]}
        others = [row for row in rows if row.index in places][:triggered_rows]
        fired = [c for c in probe_cases(probe, others, seed=seed, draws=0) if c.role is Role.TRIGGER]
        triggered.append(Triggered(tuple(c.input for c in fired), behaviour, tuple(places[c.row] for c in fired)))
    return Evaluation(tuple(rows[i].input for i in known.tolist()), held, tuple(triggered))
