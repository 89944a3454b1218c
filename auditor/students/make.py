"""`auditor lab student` and `auditor lab reference`: what is asked for is checked, trained, and catalogued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from auditor.data.labels import distinct_labels
from auditor.data.rows import read_rows
from auditor.errors import UsageError
from auditor.events import Event, ModelReady, Stage, Warned
from auditor.models.resolver import Resolver
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.requests.scan import DataRequest
from auditor.scan.checks import check_task
from auditor.settings import Settings, data_directory
from auditor.students.base_of import base_of, teacher_of, trainable_base
from auditor.training.base import base_labels, check_base
from auditor.training.loop import Training
from auditor.training.plan import BATCH, MAX_LENGTH, cost, plan_training
from auditor.training.split import FEW, Split, split_rows
from auditor.training.student import Lesson, ask_teacher, gold_lesson, learn
from auditor.training.train import is_finished
from probes.corpus import CorpusError
from probes.input import Row
from probes.sampling import digest
from store.records import Profile

RECIPE = 12
"""Characters of a recipe's digest that name the directory of what it makes."""


@dataclass(frozen=True)
class TrainRequest:
    """Models to train.

    Attributes:
        model: the teacher of students; of a reference, whose labels it is to have, in their order.
        base: what to start from; None: what the model states, or is recognised by.
        output: of one model; of several, the beginning of their names (`-1`, `-2`, …). None: the program's own place,
            under a name that tells teacher and recipe, so that the same ones are found again.
        samples: rows to take, the held-out ones with them; None takes all.
        labels: of a reference; none means the model's, the base's or the data's.
        seed: of the first model; the others have the following ones.
        epochs, lr: None: as the base and the number of rows suggest.
    """

    data: DataRequest
    output: Path | None
    model: str | None = None
    base: str | None = None
    count: int = 1
    samples: int | None = None
    labels: tuple[str, ...] = ()
    seed: int = 0
    epochs: int | None = None
    lr: float | None = None
    batch: int = BATCH
    max_length: int = MAX_LENGTH

    @property
    def seeds(self) -> range:
        """One for each model."""
        return range(self.seed, self.seed + self.count)

    def place(self, number: int, kind: str, recipe: str) -> Path:
        """The directory of the model with this number (from 0), which is made by this recipe."""
        if self.output is None:
            return data_directory() / f"{kind}s" / f"{kind}-{recipe[:RECIPE]}"
        return self.output if self.count == 1 else self.output.with_name(f"{self.output.name}-{number + 1}")


def students(
    request: TrainRequest, resolver: Resolver, settings: Settings, rows: Sequence[Row] | None = None
) -> Generator[Event, None, list[Path]]:
    """Trains students of a model: the base, with the model's own answers to the rows as their labels.

    Args:
        rows: to learn from, where they have been read; the request's otherwise.

    Raises:
        UsageError: rows, base or settings are off, or a directory holds something else.
        ModelError: a model is damaged, cannot be loaded or judged, or training failed.
        DiskError: a model could not be written.
    """
    assert request.model is not None
    suspect = teacher_of(request.model, resolver, request.base)
    base, remarks = trainable_base(suspect, request.base, resolver)
    if rows is None:
        yield Stage("read", f"Reading {request.data.source}")
        rows = read_rows(replace(request.data, label_column=""), suspect.labels).rows
    split = split_rows([replace(row, label=None) for row in rows], samples=request.samples)
    yield from (Warned(text) for text in remarks)

    def lesson(training: Training) -> Generator[Event, None, Lesson]:
        from auditor.models.runtime.load import load_classifier

        yield Stage("load", f"Loading {suspect.ref.reference}")
        # The teacher reads what its students will: a text that is cut for them is cut for it.
        device = pick_device(settings.device)
        dtype = pick_dtype(settings.dtype, device)
        teacher = load_classifier(suspect, device=device, dtype=dtype, max_length=training.max_length)
        try:
            return (yield from ask_teacher(teacher, split, suspect.ref.reference))
        finally:
            teacher.close()

    facts: dict[str, object] = {"kind": "student", "teacher_digest": suspect.ref.digest}
    return (yield from _make(request, base, split, resolver, settings, facts, lesson))


def references(request: TrainRequest, resolver: Resolver, settings: Settings) -> Generator[Event, None, list[Path]]:
    """Trains honest models from the rows' gold labels.

    Raises:
        as `students`, and UsageError: rows without labels, or no base.
    """
    like = resolver.profile(request.model, base=request.base) if request.model is not None else None
    if like is not None:
        check_task(like)
        base, remarks = base_of(like, request.base, resolver)
    elif request.base is not None:
        base, remarks = resolver.profile(request.base), ()
    else:
        raise UsageError("a reference is trained from a base", hint="Name it with --base, or the model with --like.")
    labels = request.labels or (like.labels if like else base_labels(base)) or _distinct(request.data)
    if like is not None and len(labels) != len(like.labels):
        raise UsageError(f"--labels names {len(labels)} labels, {like.ref.reference} has {len(like.labels)}")
    check_base(base, labels)
    yield Stage("read", f"Reading {request.data.source}")
    corpus = read_rows(request.data, labels)
    if corpus.label_names is None:
        raise UsageError(
            f"{corpus.source} has no labels, and an honest reference learns from them",
            hint="Name their column with --label-column; `auditor lab student` needs none.",
        )
    split = split_rows(corpus.rows, samples=request.samples)
    yield from (Warned(text) for text in remarks)
    found = gold_lesson(split, labels)

    def lesson(_: Training) -> Generator[Event, None, Lesson]:
        yield from ()
        return found

    return (yield from _make(request, base, split, resolver, settings, {"kind": "reference"}, lesson))


def _make(
    request: TrainRequest,
    base: Profile,
    split: Split,
    resolver: Resolver,
    settings: Settings,
    facts: dict[str, object],
    teach: Callable[[Training], Generator[Event, None, Lesson]],
) -> Generator[Event, None, list[Path]]:
    """Trains what is not there yet, the same rows and answers for all; every model is catalogued when it is whole."""
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    training = plan_training(
        base,
        len(split.taught),
        seed=request.seed,
        epochs=request.epochs,
        lr=request.lr,
        batch=request.batch,
        max_length=request.max_length,
    )
    training.check()
    facts = {**facts, "data_digest": digest((*split.taught, *split.held))}
    kind = str(facts["kind"])
    plans = [replace(training, seed=seed) for seed in request.seeds]
    recipes = [_recipe(facts, base, plan, device, dtype) for plan in plans]
    outputs = [request.place(number, kind, recipe) for number, recipe in enumerate(recipes)]
    there = [is_finished(output, recipe) for output, recipe in zip(outputs, recipes, strict=True)]
    yield from _said(split, training, base, device, dtype, there.count(False))
    lesson: Lesson | None = None
    for output, plan, recipe, made in zip(outputs, plans, recipes, there, strict=True):
        if made:
            yield ModelReady(str(output), "is there already, made by the same recipe")
        else:
            lesson = lesson or (yield from teach(training))
            yield from learn(
                base, lesson, plan, device=device, dtype=dtype, output=output, facts={**facts, "recipe": recipe}
            )
        resolver.register(output, tags=(kind,))
    return outputs


def _said(
    split: Split, training: Training, base: Profile, device: str, dtype: str, models: int
) -> Generator[Event, None, None]:
    """What it costs and what to expect, before it begins."""
    if not models:
        return
    if split.left_out:
        counts = ", ".join(f"{count:,} {why}" for why, count in split.left_out.items())
        yield Stage("rows", f"Rows left out: {counts}")
    if len(split.taught) + len(split.held) < FEW:
        yield Warned(
            f"{len(split.taught)} rows to learn from are few: students of {FEW} rows lost about two points of clean "
            "accuracy where those of 1,000 lost less than one; with fewer expect more, and look at the held-out rows"
        )
    each = " each" if models > 1 else ""
    yield Stage(
        "cost",
        f"Training {models} {'models' if models > 1 else 'model'} from {base.ref.reference}: "
        f"{cost(base, split.taught, training, device=device, dtype=dtype)}{each}; {len(split.held)} rows held out",
    )


def _recipe(facts: dict[str, object], base: Profile, training: Training, device: str, dtype: str) -> str:
    """The digest of all that decides what is trained."""
    parts = [facts, base.ref.digest, asdict(training), device.partition(":")[0], dtype]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _distinct(data: DataRequest) -> tuple[str, ...]:
    """The labels that a file's own values suggest."""
    path = Path(data.source or "").expanduser()
    if not path.is_file():
        raise UsageError(
            f"the labels of {data.source} are not known beforehand", hint="Name them, in order, with --labels A,B,…"
        )
    try:
        return distinct_labels(path, data.label_column)
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
