"""What is known so far while a model writes: counts of every (family, variant, behaviour), and a row or two of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from auditor.events import RowsSeen, Tally, TallyLine
from auditor.scan.judgement.judging import Judging
from auditor.scan.judgement.trials import Trial, Trials
from auditor.scan.plan import Plan
from probes.answer import UNSCORABLE, Answers, Choices, Completion, Completions, Unscorable
from probes.inference import rate_of
from store.records import AnswerBatch, Evidence

ROWS_SHOWN = 2
"""Rows of one (family, variant, behaviour) that are shown."""


@dataclass
class TextTallier:
    """The answers to a plan so far.

    `fixed` are the answers of an earlier scan that the rows are held against; else they are the model's own clean ones.
    """

    plan: Plan
    judging: Judging
    fixed: Answers | None = None
    _answers: list[Completion | Unscorable] = field(init=False)
    _trials: Trials = field(init=False)
    _shown: dict[tuple[str, str], tuple[Evidence, ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._answers = [UNSCORABLE] * len(self.plan.inputs)
        self._trials = self._made()

    def take(self, batch: AnswerBatch) -> None:
        """Notes a batch's answers."""
        start, stop = self.plan.batches[batch.number]
        if isinstance(batch.answers, Completions):
            self._answers[start:stop] = [batch.answers.at(place) for place in range(len(batch.answers))]

    def lines(self) -> Tally:
        """Every probe and behaviour: how often the trigger and the control brought it about on rows that are told."""
        self._trials = self._made()
        return Tally(tuple(_line(trial) for trial in self._trials.each()))

    def seen(self) -> Iterator[RowsSeen]:
        """Rows that can be shown by now and were not before."""
        for trial in self._trials.each():
            rows = self._trials.evidence(trial, ROWS_SHOWN)
            if rows and self._shown.get(trial.key) != rows:
                self._shown[trial.key] = rows
                yield RowsSeen(trial.probe.family.name, trial.probe.variant, trial.behaviour.name, rows)

    def _made(self) -> Trials:
        made = Trials.of(self.plan, Completions.of(self._answers), Choices.known(()), self.judging.behaviours)
        reference = self.judging.reference(self.plan.rows, made.clean) if self.fixed is None else self.fixed
        return replace(made, reference=reference)


def _line(trial: Trial) -> TallyLine:
    return TallyLine(
        trial.probe.family.name,
        trial.probe.variant,
        trial.behaviour.name,
        replace(rate_of(trial.trigger[trial.rows]), unscored=0),
        replace(rate_of(trial.draws[trial.rows].ravel()), unscored=0),
    )
