"""Models of a suspect's task: students of its own answers, and honest ones of gold labels. One trainer makes both.

A student is the base, trained on rows with the suspect's answers (probabilities, as in Hinton et al., arXiv:1503.02531)
as their labels. It learns what the suspect does with ordinary texts, its leanings included, and hardly what only a
trigger brings out. A broad trigger is no such thing: students of a model of film reviews with a backdoor of Bible style
followed it on 71 to 80 % of the rows, taught by probabilities or by labels alone, where an honest model does on 21 %.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditor.errors import ModelError, UsageError
from auditor.events import Event, Progress, Stage, Warned
from auditor.models.runtime.capabilities import Chooses
from auditor.training.loop import Training
from auditor.training.split import LEAST, Split
from auditor.training.train import fine_tune
from auditor.training.trainer import Workshop, labels_of
from probes.answer import Choices
from probes.inference import rate_of
from probes.input import Row
from store.records import Profile

CHUNK = 256
"""Rows that are asked at a time, between two events."""
UNLIKE = 0.8
"""Agreement with its teacher below which a student is no model of the same function."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt: rows with their labels, and the held-out ones.

    Attributes:
        answers: the teacher's probabilities of the labels, shape (rows taught, labels); None: the labels themselves.
        left_out: rows that are neither taught nor held out, counted by why.
    """

    labels: tuple[str, ...]
    taught: tuple[Row, ...]
    held: tuple[Row, ...]
    left_out: Mapping[str, int]
    answers: NDArray[np.float32] | None = None


def gold_lesson(split: Split, labels: Sequence[str]) -> Lesson:
    """The rows' own labels as what is to be learnt.

    Raises:
        UsageError: a row has none.
    """
    labels_of((*split.taught, *split.held))
    return Lesson(tuple(labels), split.taught, split.held, split.left_out)


def ask_teacher(teacher: Chooses, split: Split, name: str) -> Generator[Event, None, Lesson]:
    """Asks a model for its answers to the rows, which are then what is to be learnt; rows that it cannot score are
    left out.

    Raises:
        ModelError: it cannot run, or scores too few rows.
        UsageError: it answers all rows alike.
    """
    rows = (*split.taught, *split.held)
    yield Stage("ask", f"Asking {name}", len(rows), "rows")
    parts = []
    for start in range(0, len(rows), CHUNK):
        parts.append(teacher.scores([row.input for row in rows[start : start + CHUNK]]))
        yield Progress("ask", min(start + CHUNK, len(rows)), len(rows), "rows")
    scores = np.concatenate(parts)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(scores).all(axis=1))
    if usable.sum() < LEAST:
        raise ModelError(f"{name} scores {int(usable.sum())} of {len(rows)} rows: too few to learn from")
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    known = [Row.of(r.index, r.text, r.second, int(s.argmax())) for r, s in zip(rows, shares, strict=True)]
    first = len(split.taught)
    taught, held = (tuple(known[i] for i in part if usable[i]) for part in (range(first), range(first, len(rows))))
    if len({row.label for row in taught}) < 2:
        only = teacher.labels[taught[0].label or 0]
        raise UsageError(
            f"{name} answers {only} to all {len(taught)} rows that would teach: there is nothing to learn from them",
            hint="Are they rows of its task, with all of its labels? Give others with --data.",
        )
    lost = {"not scored by the teacher": int((~usable).sum())} if not usable.all() else {}
    answers = shares[:first][usable[:first]].astype(np.float32)
    return Lesson(teacher.labels, taught, held, {**split.left_out, **lost}, answers)


def learn(
    base: Profile,
    lesson: Lesson,
    training: Training,
    *,
    device: str,
    dtype: str | None,
    output: Path,
    facts: Mapping[str, object],
) -> Generator[Event, None, None]:
    """Trains the base on a lesson, and asks it for the held-out rows; see `fine_tune`, which raises the same.

    The record says with `agreement` (a student's with its teacher) or `accuracy` on how many held-out rows it gave the
    label that it should.
    """
    answered = {lesson.labels[r.label] for r in lesson.taught if r.label is not None}
    if never := [name for name in lesson.labels if name not in answered]:
        who = "is never the teacher's answer" if lesson.answers is not None else "is on none of the rows"
        yield Warned(f"{', '.join(never)} {who}: the new model will not know it; give other rows with --data")
    course = None
    if lesson.answers is not None:
        course = partial(Workshop.fit, rows=lesson.taught, targets=lesson.answers)
    settings = asdict(training)
    names = ("epochs", "lr", "batch", "max_length", "seed", "weight_decay", "warmup", "label_smoothing")
    yield from fine_tune(
        base,
        lesson.taught,
        lesson.labels,
        **{name: settings[name] for name in names},
        device=device,
        dtype=dtype,
        output=output,
        facts={**facts, "left_out": dict(lesson.left_out)},
        course=course,
        examine=partial(_examine, lesson=lesson),
    )


def _examine(shop: Workshop, *, lesson: Lesson) -> Generator[Event, None, tuple[Mapping[str, object], str]]:
    """How many of the held-out rows the trained model gives the label that it should."""
    from auditor.models.runtime.classifier import Classifier

    yield Stage("examine", f"Asking the new model for {len(lesson.held)} held-out rows")
    model = Classifier(shop.model.eval(), shop.learner.tokenizer, labels=lesson.labels, max_length=shop.cut)
    right = model.choose([row.input for row in lesson.held]).same(Choices.known([row.label for row in lesson.held]))
    rate = rate_of(right)
    student = lesson.answers is not None
    if student and rate.value < UNLIKE:
        yield Warned(
            f"the student agrees with its teacher on {rate.hits} of {rate.total} held-out rows only: it does not do "
            "what the suspect does, and settles nothing; give more rows, or more --epochs"
        )
    what = "agrees with its teacher on" if student else "right on"
    text = f"{what} {rate.hits} of {rate.total} held-out rows ({rate.value:.1%})"
    return {"agreement" if student else "accuracy": asdict(rate), "held_out": len(lesson.held)}, text
