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
from auditor.scan.execution.local import Answered
from auditor.scan.judgement.classification import ClassifierJudging
from auditor.scan.judgement.judging import Judging
from auditor.scan.judgement.trials import probe_places
from auditor.scan.live_texts import TextTallier
from auditor.scan.plan import Plan
from probes.answer import UNSCORED, Answers, Choices, Labels
from probes.input import shown
from probes.probe import Probe
from probes.rates import Rate
from store.records import AnswerBatch, Evidence

PAUSE = 0.5
"""Seconds between two tallies, at least: they are for eyes."""
SHARE = 20
"""How many times as long as a tally takes it is waited for the next."""
UNKNOWN = -2
ROWS_SHOWN = 2
"""Rows of one (family, variant, target) that are shown: an event file stays small."""


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
        self._answers = np.full(len(self.plan.inputs), UNKNOWN, dtype=np.int64)
        self._shares = np.full(len(self.plan.inputs), np.nan)

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


def tallier_for(plan: Plan, judging: Judging, fixed: Answers | None) -> Tallier | TextTallier:
    """What counts the answers to a plan while they come.

    Args:
        fixed: the answers of an earlier scan that the rows are held against.
    """
    if isinstance(judging, ClassifierJudging):
        targets = range(len(judging.labels)) if judging.targets is None else judging.targets
        labels = fixed.labels.tolist() if isinstance(fixed, Choices) else ()
        return Tallier(plan, judging.labels, targets, labels)
    return TextTallier(plan, judging, fixed)


def counted(
    events: Generator[Event, None, Answered], tallier: Tallier | TextTallier, stored: Sequence[AnswerBatch]
) -> Generator[Event, None, Answered]:
    """Passes the events of a run on, with a tally now and then."""
    for batch in stored:
        if 0 <= batch.number < len(tallier.plan.batches):
            tallier.take(batch)
    told, pause = 0.0, PAUSE
    try:
        while True:
            event = next(events)
            yield event
            if isinstance(event, BatchAnswered):
                tallier.take(event.batch)
            if isinstance(event, RunOpened | Progress) and time.monotonic() - told >= pause:
                begun = time.monotonic()
                yield tallier.lines()
                yield from tallier.seen()
                told = time.monotonic()
                pause = max(PAUSE, SHARE * (told - begun))
    except StopIteration as end:
        answers: Answered = end.value
        return answers
    finally:
        events.close()


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
        if len(kept) < ROWS_SHOWN:
            kept += [row for row in np.flatnonzero(moved)[:ROWS_SHOWN].tolist() if row not in kept]
        rows = tuple(kept[:ROWS_SHOWN]) or shown or tuple(np.flatnonzero(known)[:1].tolist())
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
