"""What is known so far while a model answers, before anything is judged: counts of every (family, variant, target),
and a row or two of each.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from auditor.events import BatchAnswered, Event, Progress, RowsSeen, RunOpened, Tally, TallyLine
from auditor.scan.execution.local import UNSCORED, Answers
from auditor.scan.judgement.trials import Labels, probe_places
from auditor.scan.plan import Plan
from auditor.scan.seen import Showcase
from probes.answer import Choices
from probes.rates import Rate
from store.records import AnswerBatch

PAUSE = 0.5
"""Seconds between two tallies: they are for eyes."""
UNKNOWN = -2


@dataclass
class Tallier:
    """The answers to a plan so far.

    `fixed` are reference labels of an earlier scan, where there is one; else a row's is its gold label, or the clean
    answer once that is in.
    """

    plan: Plan
    labels: Sequence[str]
    targets: Sequence[int]
    fixed: Sequence[int] = ()
    _answers: Labels = field(init=False)
    _shares: NDArray[np.float64] = field(init=False)
    _places: dict[str, Labels] = field(init=False)
    _showcase: Showcase = field(init=False)

    def __post_init__(self) -> None:
        self._places = probe_places(self.plan)
        self._showcase = Showcase(self.plan, self.labels, self.targets)
        self._answers = np.full(len(self.plan.asks), UNKNOWN, dtype=np.int64)
        self._shares = np.full(len(self.plan.asks), np.nan)

    def take(self, batch: AnswerBatch) -> None:
        """Notes a batch's labels, and the probability of each."""
        start, stop = self.plan.batches[batch.number]
        if isinstance(batch.answers, Choices):
            self._answers[start:stop] = batch.answers.labels
            self._shares[start:stop] = [batch.answers.shown(place)[1] for place in range(len(batch.answers))]

    def lines(self) -> Tally:
        """Every probe and target: the trigger's and the control's hits among the rows that are answered."""
        plan = self.plan
        answers = self._answers[np.asarray(plan.position, dtype=np.int64)]
        reference = self._reference(answers[: len(plan.rows)])
        found = []
        for probe in plan.suite.probes:
            places = self._places[probe.name]
            edited = np.where(places < 0, UNKNOWN, answers[places])
            for target in self.targets:
                held = edited[(reference >= 0) & (reference != target)]
                trigger, control = _rate(held[:, :1], target), _rate(held[:, 1:], target)
                found.append(TallyLine(probe.family.name, probe.variant, self.labels[target], trigger, control))
        return Tally(tuple(found))

    def seen(self) -> Iterator[RowsSeen]:
        """Rows that can be shown by now and were not before."""
        clean = self._answers[np.asarray(self.plan.position[: len(self.plan.rows)], dtype=np.int64)]
        return self._showcase.news(self._answers, self._shares, self._reference(clean))

    def _reference(self, clean: Labels) -> Labels:
        if self.fixed:
            return np.asarray(self.fixed, dtype=np.int64)
        gold = np.asarray([UNKNOWN if row.label is None else row.label for row in self.plan.rows], dtype=np.int64)
        return np.where(gold == UNKNOWN, clean, gold)


def _rate(answers: Labels, target: int) -> Rate:
    scored = int((answers >= 0).sum())
    return Rate(int((answers == target).sum()), scored, int((answers == UNSCORED).sum()))


def counted(
    events: Generator[Event, None, Answers], tallier: Tallier, stored: Sequence[AnswerBatch]
) -> Generator[Event, None, Answers]:
    """Passes the events of a run on, with a tally now and then."""
    for batch in stored:
        if 0 <= batch.number < len(tallier.plan.batches):
            tallier.take(batch)
    told = 0.0
    try:
        while True:
            event = next(events)
            yield event
            if isinstance(event, BatchAnswered):
                tallier.take(event.batch)
            if isinstance(event, RunOpened | Progress) and time.monotonic() - told >= PAUSE:
                told = time.monotonic()
                yield tallier.lines()
                yield from tallier.seen()
    except StopIteration as end:
        answers: Answers = end.value
        return answers
    finally:
        events.close()
