"""Asks a plan in this process: the batches that are not stored yet, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from auditor.events import BatchAnswered, Event, Progress, RunNoted, RunOpened
from auditor.models.runtime.capabilities import Chooses, Generates, ScoresText
from auditor.models.runtime.kept import KeptBase
from auditor.models.runtime.load import load_model
from auditor.models.runtime.spec import LoadSpec
from auditor.scan.execution.head import MULTI_LABEL, ROWS, is_multi_label
from auditor.scan.execution.run import Role
from auditor.scan.plan import Plan
from probes.answer import Answers, Choices, Completions, Likelihood
from probes.input import Choose, Input
from store.records import AnswerBatch, Run


@dataclass(frozen=True)
class Answered:
    """A model's answers to a plan's inputs, and sentences on how they were made."""

    answers: Answers
    notes: tuple[str, ...] = ()


@dataclass
class LocalExecutor:
    """Asks in this process, one model at a time; implements `auditor.scan.execution.executor.Executor`.

    Attributes:
        open_model: opens a model; None: as `load_model` does, so that several adapters of one base load it once.
        keeps: the model that was opened last stays open until another one is asked, or until `close`.
        base: the base of the adapter that was opened last.
    """

    open_model: Callable[[LoadSpec], Chooses | Generates] | None = None
    keeps: bool = False
    base: KeptBase = field(default_factory=KeptBase)
    _open: tuple[LoadSpec, Chooses | Generates] | None = field(default=None, init=False)

    def run(self, plan: Plan, load: LoadSpec, run: Run, role: Role) -> Generator[Event, None, Answered]:
        """See `Executor.run`. The model is closed when the last batch is answered, and when the generator is closed."""
        stored = {b.number: b for b in run.answered}
        name, labels, asks = load.profile.ref.reference, _labels(load), len(plan.inputs)
        yield RunOpened(run.id, name, role, len(plan.batches), len(stored), asks, load.device, load.dtype)
        done = written = 0
        begun = time.monotonic()
        answered: list[AnswerBatch] = []
        notes = run.notes
        said: tuple[str, ...] = ()
        target: Chooses | Generates | None = None
        try:
            for number, (start, stop) in enumerate(plan.batches):
                batch = stored.get(number)
                if batch is None:
                    if target is None:
                        target = self._opened(load)
                        said = _said(target, [row.input for row in plan.rows[:ROWS]], load)
                    batch = AnswerBatch(number, _answers(target, plan.batch(number), load))
                    # First the note: an answer is never stored without what is to be said of it.
                    if fresh := tuple(note for note in (*said, *target.notes) if note not in notes):
                        notes = (*notes, *fresh)
                        yield RunNoted(run.id, fresh)
                    yield BatchAnswered(run.id, batch)
                    written += _tokens(batch.answers)
                answered.append(batch)
                done += stop - start
                speed = written / max(time.monotonic() - begun, 1e-9)
                unit, told = ("prompts", f"{speed:,.0f} tokens a second") if written else ("texts", name)
                yield Progress("probe", done, asks, unit, told)
        finally:
            if target is not None and not self.keeps:
                target.close()
        return Answered(collect(answered, labels), notes)

    def likelihoods(self, load: LoadSpec, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        """See `Executor.likelihoods`."""
        target = self._opened(load)
        try:
            return cast("ScoresText", target).likelihoods(pairs)
        finally:
            if not self.keeps:
                target.close()

    def close(self) -> None:
        """Frees the memory of the model, and of the base of adapters, that was kept."""
        self.let_go()
        self.base.close()

    def let_go(self) -> None:
        """Frees the memory of the model that was kept, and leaves the base."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _opened(self, load: LoadSpec) -> Chooses | Generates:
        if not self.keeps:
            return self._load(load)
        if self._open is None or self._open[0].opening != load.opening:
            self.let_go()
            self._open = load, self._load(load)
        return self._open[1]

    def _load(self, load: LoadSpec) -> Chooses | Generates:
        return load_model(load, self.base) if self.open_model is None else self.open_model(load)


def _labels(load: LoadSpec) -> int:
    """How many labels there are to choose of."""
    words = load.asking.words if isinstance(load.asking, Choose) else ()
    return len(words or load.profile.labels)


def _tokens(answers: Choices | Completions) -> int:
    """How many tokens a model wrote."""
    return int(answers.offsets[-1]) if isinstance(answers, Completions) else 0


def _said(target: Chooses | Generates, inputs: Sequence[Input], load: LoadSpec) -> tuple[str, ...]:
    """What a classifier's scores of clean rows say of its head."""
    if load.writes:
        return ()
    looked = cast("Chooses", target).scores(inputs)
    return (MULTI_LABEL,) if is_multi_label(looked) else ()


def _answers(target: Chooses | Generates, inputs: Sequence[Input], load: LoadSpec) -> Choices | Completions:
    """A batch's answers, as the model is to be asked."""
    if isinstance(load.asking, Choose):
        return cast("Chooses", target).choose(inputs, load.asking)
    return cast("Generates", target).generate(inputs, load.asking)


def collect(batches: list[AnswerBatch], labels: int) -> Choices | Completions:
    """Batches, in the plan's order, as columns."""
    texts = [b.answers for b in batches if isinstance(b.answers, Completions)]
    if texts:
        return Completions.joined(texts)
    stored = [b.answers for b in batches if isinstance(b.answers, Choices)]
    found = [own.labels for own in stored]
    # Probabilities of a batch that has none, since nothing in it could be scored, are not known.
    shares = [
        own.probabilities if own.probabilities.shape[1] == labels else np.full((len(own), labels), np.nan)
        for own in stored
    ]
    return Choices(np.concatenate([np.empty(0, np.int64), *found]), np.concatenate([np.empty((0, labels)), *shares]))
