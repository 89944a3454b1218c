"""`auditor lab student` and `auditor lab reference`: what is asked for is checked, trained, and catalogued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.data import read_rows
from auditor.errors import AuditorError, ModelError, UsageError
from auditor.events import Event, ModelReady, Stage, Warned
from auditor.lab.labels import distinct_labels
from auditor.merge.independence import SAME_BASE
from auditor.merge.origin import read_origin
from auditor.models.device import pick_device, pick_dtype
from auditor.models.reference import Kind, parse
from auditor.scan.prepare import check_task, not_judgeable
from auditor.scan.request import DataRequest
from auditor.training.base import base_labels, check_base
from auditor.training.fit import check_fit, nearness
from auditor.training.loop import Training
from auditor.training.plan import BATCH, MAX_LENGTH, cost, plan_training
from auditor.training.split import FEW, Split, split_rows
from auditor.training.student import Lesson, ask_teacher, gold_lesson, learn
from auditor.training.train import is_finished
from probes.corpus import CorpusError
from probes.sampling import digest
from store.records import Profile, Task

if TYPE_CHECKING:
    from auditor.session import Session


@dataclass(frozen=True)
class TrainRequest:
    """Models to train.

    Attributes:
        model: the teacher of students; of a reference, whose labels it is to have, in their order.
        base: what to start from; None: what the model states, or is recognised by.
        output: of one model; of several, the beginning of their names (`-1`, `-2`, …).
        samples: rows to take, the held-out ones with them; None takes all.
        labels: of a reference; none means the model's, the base's or the data's.
        seed: of the first model; the others have the following ones.
        epochs, lr: None: as the base and the number of rows suggest.
    """

    data: DataRequest
    output: Path
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

    def outputs(self) -> list[tuple[int, Path]]:
        """The seeds and the directories."""
        if self.count == 1:
            return [(self.seed, self.output)]
        numbers = range(1, self.count + 1)
        return [(self.seed + n - 1, self.output.with_name(f"{self.output.name}-{n}")) for n in numbers]


def students(session: Session, request: TrainRequest) -> Generator[Event, None, list[Path]]:
    """Trains students of a model: the base, with the model's own answers to the rows as their labels.

    Raises:
        UsageError: rows, base or settings are off, or a directory holds something else.
        ModelError: a model is damaged, cannot be loaded or judged, or training failed.
        DiskError: a model could not be written.
    """
    assert request.model is not None
    suspect = session.profile(request.model)
    check_task(suspect)
    if reason := not_judgeable(suspect):
        raise ModelError(f"{reason}; students are trained of single-label classifiers")
    base, remarks = _base(session, suspect, request.base)
    check_base(base, suspect.labels)
    yield Stage("read", f"Reading {request.data.source}")
    split = split_rows(read_rows(replace(request.data, label_column=""), suspect.labels).rows, samples=request.samples)
    yield from (Warned(text) for text in remarks)

    def lesson(training: Training) -> Generator[Event, None, Lesson]:
        from auditor.models.loader import load_classifier

        yield Stage("load", f"Loading {suspect.ref.reference}")
        # The teacher reads what its students will: a text that is cut for them is cut for it.
        teacher = load_classifier(suspect, device=session.settings.device, max_length=training.max_length)
        try:
            return (yield from ask_teacher(teacher, split, suspect.ref.reference))
        finally:
            teacher.close()

    facts: dict[str, object] = {"kind": "student", "teacher_digest": suspect.ref.digest}
    return (yield from _make(session, request, base, split, facts, lesson))


def references(session: Session, request: TrainRequest) -> Generator[Event, None, list[Path]]:
    """Trains honest models from the rows' gold labels.

    Raises:
        as `students`, and UsageError: rows without labels, or no base.
    """
    like = session.profile(request.model) if request.model is not None else None
    if like is not None:
        check_task(like)
        base, remarks = _base(session, like, request.base)
    elif request.base is not None:
        base, remarks = session.profile(request.base), ()
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

    return (yield from _make(session, request, base, split, {"kind": "reference"}, lesson))


def _make(
    session: Session,
    request: TrainRequest,
    base: Profile,
    split: Split,
    facts: dict[str, object],
    teach: Callable[[Training], Generator[Event, None, Lesson]],
) -> Generator[Event, None, list[Path]]:
    """Trains what is not there yet, the same rows and answers for all; every model is catalogued when it is whole."""
    device = pick_device(session.settings.device)
    dtype = pick_dtype(session.settings.dtype, device)
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
    plans = [(output, replace(training, seed=seed)) for seed, output in request.outputs()]
    recipes = [_recipe(facts, base, plan, device, dtype) for _, plan in plans]
    there = [is_finished(output, recipe) for (output, _), recipe in zip(plans, recipes, strict=True)]
    yield from _said(split, training, base, device, dtype, there.count(False))
    lesson: Lesson | None = None
    tag = str(facts["kind"])
    for (output, plan), recipe, made in zip(plans, recipes, there, strict=True):
        if made:
            yield ModelReady(str(output), "is there already, made by the same recipe")
        else:
            lesson = lesson or (yield from teach(training))
            yield from learn(
                base, lesson, plan, device=device, dtype=dtype, output=output, facts={**facts, "recipe": recipe}
            )
        session.register(output, tags=(tag,))
    return [output for output, _ in plans]


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


def _base(session: Session, suspect: Profile, named: str | None) -> tuple[Profile, tuple[str, ...]]:
    """The base of a model and what is to be said of it: the one that is named, else recorded or stated, else a
    catalogued one that the weights are near to.

    Raises:
        UsageError: there is none, or it does not fit.
        ModelError: its files are damaged.
    """
    if named is not None:
        base = session.profile(named)
        return base, check_fit(suspect, base)
    why = []
    for found, how in (*_stated(session, suspect), *_recognised(session, suspect)):
        try:
            base = session.profile(found)
            remarks = check_fit(suspect, base)
        except AuditorError as error:
            why.append(f"{found}, {how}: {error.message}")
        else:
            return base, (f"the base is taken to be {found}, {how}: a new model is as honest as its base", *remarks)
    tried = f" ({'; '.join(why)})" if why else ""
    raise UsageError(
        f"the base of {suspect.ref.reference} is not known{tried}",
        hint="Name the model that it was trained from with --base.",
    )


def _stated(session: Session, suspect: Profile) -> list[tuple[str, str]]:
    """Names of the bases that the model's record and card state. A path says nothing here: it is another machine's."""
    origin = read_origin(suspect)
    found = []
    if origin.started and (entry := session.catalog.models.by_digest(origin.started)):
        found.append((entry.name, "as the model's record says"))
    for name in sorted(origin.bases):
        try:
            usable = parse(name).kind is not Kind.PATH
        except AuditorError:
            continue
        if usable:
            found.append((name, "as the model's card or config says"))
    return found


def _recognised(session: Session, suspect: Profile) -> list[tuple[str, str]]:
    """The catalogued model without a classifier that the suspect's weights are nearest to."""
    near = []
    for entry in session.catalog.models.list():
        profile = entry.profile
        if profile.task is Task.CLASSIFICATION or profile.model_type != suspect.model_type:
            continue
        try:
            likeness = nearness(suspect, profile).likeness
        except AuditorError:
            continue
        if likeness is not None and likeness >= SAME_BASE:
            near.append((likeness, entry.name))
    return [(name, f"whose weights are near (cosine {cosine:.3f})") for cosine, name in sorted(near, reverse=True)[:1]]
