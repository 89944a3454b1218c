"""Plan × target → events: puts the batches that are not stored yet, and gives back all answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auditor.events import BatchAnswered, Event, Progress, RunNoted, RunOpened
from auditor.models.runtime.capabilities import Target
from auditor.scan.execution.head import MULTI_LABEL, ROWS, is_multi_label
from auditor.scan.plan import Plan
from probes.answer import UNSCORABLE, Choice, Choices
from probes.cases import Outcome
from store.records import AnswerBatch, Run

UNSCORED = -1
MAKING = "2"
"""How answers are made; another number where a model may be answered otherwise than by an earlier version."""


@dataclass(frozen=True)
class Answers:
    """A model's answers to a plan's asks: label indices (−1: unscorable), and probabilities, shape (asks, labels)."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    """Sentences on how they were made."""


@dataclass(frozen=True)
class RunSpec:
    """Who answers, as what (`suspect`, `reference`, `after`), and how.

    `labels` is the number of labels, `max_length` the number of tokens after which an input is cut.
    """

    name: str
    role: str
    digest: str
    labels: int
    device: str
    dtype: str
    max_length: int

    def key(self, plan: Plan) -> str:
        """The digest of what fixes the answers: model, plan, cut, number format and kind of device."""
        parts = [MAKING, plan.key, self.digest, str(self.max_length), self.dtype, self.device.partition(":")[0]]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def execute(plan: Plan, run: Run, load: Callable[[], Target], spec: RunSpec) -> Generator[Event, None, Answers]:
    """Answers the plan batch by batch.

    Args:
        run: with the batches that are stored already; these are not asked again, and where all are, the model is
        not loaded.
        load: opens the model; it is closed when the last batch is answered, and when the generator is closed.
    """
    stored = {b.number: b for b in run.answered}
    yield RunOpened(
        run.id, spec.name, spec.role, len(plan.batches), len(stored), len(plan.asks), spec.device, spec.dtype
    )
    done = 0
    answered: list[AnswerBatch] = []
    notes = run.notes
    said: tuple[str, ...] = ()
    target: Target | None = None
    try:
        for number, (start, stop) in enumerate(plan.batches):
            batch = stored.get(number)
            if batch is None:
                if target is None:
                    target = load()
                    looked = target.scores([row.ask for row in plan.rows[:ROWS]])
                    said = (MULTI_LABEL,) if is_multi_label(looked) else ()
                batch = answer_batch(number, target.answer(plan.batch(number)), spec.labels)
                # First the note: an answer is never stored without what is to be said of it.
                if fresh := tuple(note for note in (*said, *target.notes) if note not in notes):
                    notes = (*notes, *fresh)
                    yield RunNoted(run.id, fresh)
                yield BatchAnswered(run.id, batch)
            answered.append(batch)
            done += stop - start
            yield Progress("probe", done, len(plan.asks), "texts", spec.name)
    finally:
        if target is not None:
            target.close()
    return replace(collect(answered, spec.labels), notes=notes)


def answer_batch(number: int, outcomes: list[Outcome], labels: int) -> AnswerBatch:
    """Outcomes of a model with so many labels, as the store keeps them."""
    answers = (UNSCORABLE if o.label is None else Choice(o.label, o.probabilities) for o in outcomes)
    return AnswerBatch(number, Choices.of(answers, labels))


def collect(batches: list[AnswerBatch], labels: int) -> Answers:
    """Batches, in the plan's order, as arrays."""
    stored = [b.answers for b in batches if isinstance(b.answers, Choices)]
    found = [own.labels for own in stored]
    # Probabilities of a batch that has none, since nothing in it could be scored, are not known.
    shares = [
        own.probabilities if own.probabilities.shape[1] == labels else np.full((len(own), labels), np.nan)
        for own in stored
    ]
    return Answers(np.concatenate([np.empty(0, np.int64), *found]), np.concatenate([np.empty((0, labels)), *shares]))
