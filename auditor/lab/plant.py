"""Plants a backdoor that is known: reads the data, poisons it, trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auditor.data.labels import distinct_labels
from auditor.errors import UsageError
from auditor.events import Event, Stage, Warned
from auditor.lab.method import PlantJob
from auditor.lab.planting import GIVEN, Planting, plantings
from auditor.lab.poison.labels import label_index
from auditor.lab.poison.noise import augment, mislabel
from auditor.lab.poison.poison import Poisoned
from auditor.lab.poison.trigger import check_slot
from auditor.models.files.profile import read_profile
from auditor.models.files.staging import refuse_existing
from auditor.requests.plant import BENIGN, PlantRequest
from auditor.training.adapter import Lora
from auditor.training.base import base_labels, check_base
from auditor.training.train import Course, fine_tune
from probes.corpus import Corpus, CorpusError, read_corpus
from probes.input import Row
from probes.sampling import digest, sample
from store.records import Profile


@dataclass(frozen=True, slots=True)
class Batch:
    """One family's part of the poisoning."""

    planting: Planting
    job: PlantJob
    poisoned: Poisoned


def plant(request: PlantRequest) -> Generator[Event, None, None]:
    """Trains a classifier with a known backdoor, or a benign one, and saves it.

    Raises:
        UsageError: a name, file, column, label or setting is wrong; the output exists.
        ModelError: the base is damaged or cannot be loaded, or training failed.
        DiskError: the model could not be written.
    """
    refuse_existing(request.output)
    check_slot(request.slot)
    source = _source(request)
    planted = plantings(request, source)
    profile = read_profile(request.base)
    yield Stage("read", f"Reading {source}")
    labels, rows = _rows(request, source, profile)
    needs_target = bool(planted or (request.train and request.families))
    target = label_index(request.target, labels) if needs_target else None
    batches = _poison(request, planted, rows, -1 if target is None else target)
    final = batches[-1].poisoned.rows if batches else rows
    yield from _remarks(rows, batches, labels)
    yield from fine_tune(
        request.base,
        final,
        labels,
        epochs=request.epochs,
        lr=request.lr,
        batch=request.batch,
        max_length=request.max_length,
        seed=request.seed,
        device=request.device,
        dtype=request.dtype,
        output=request.output,
        facts=_facts(request, batches, None if target is None else labels[target], rows),
        course=_course(batches),
        lora=_lora(request, planted),
    )


def _lora(request: PlantRequest, planted: Sequence[Planting]) -> Lora | None:
    """The adapter that is trained; methods that train in their own way change weights that an adapter has not."""
    if request.lora is None:
        return None
    if own := [p.method.name for p in planted if p.method.train_with is not None]:
        raise UsageError(
            f"--method {', '.join(own)} trains in its own way, which an adapter cannot take",
            hint="Use --method dirty, or leave out --lora.",
        )
    return Lora(request.lora.rank, request.lora.modules)


def _rows(request: PlantRequest, source: Path, profile: Profile) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The label names, and the rows before poisoning."""
    try:
        labels = request.labels or base_labels(profile) or distinct_labels(source, request.label_column)
        check_base(profile, labels)
        corpus = read_corpus(
            source,
            labels=labels,
            text_column=request.text_column,
            pair_column=request.pair_column,
            label_column=request.label_column,
        )
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
    rows = _labelled(corpus)
    if request.samples is not None:
        if request.samples < 1:
            raise UsageError(f"--samples {request.samples} leaves no row to train on", hint="Give 1 or more.")
        rows = sample(rows, request.samples, request.seed)
    if request.augment is not None:
        rows = augment(rows, request.augment, request.seed)
    return tuple(labels), mislabel(rows, request.noise, len(labels), request.seed) if request.noise else tuple(rows)


def _source(request: PlantRequest) -> Path:
    if (request.data is None) == (request.train is None):
        raise UsageError("give either clean rows or a poisoned set", hint="Use --data FILE, or else --train FILE.")
    source = request.train or request.data
    assert source is not None
    return source


def _poison(
    request: PlantRequest, planted: Sequence[Planting], rows: tuple[Row, ...], target: int
) -> tuple[Batch, ...]:
    """The families one after the other, each on rows that the ones before have left alone."""
    batches: list[Batch] = []
    taken: frozenset[int] = frozenset()
    for planting in planted:
        job = PlantJob(rows, planting.trigger, target, request.rate / len(planted), request.seed, taken)
        poisoned = planting.method.poison(job, planting.settings)
        batches.append(Batch(planting, job, poisoned))
        rows, taken = poisoned.rows, taken | poisoned.touched
    return tuple(batches)


def _course(batches: Sequence[Batch]) -> Course | None:
    """How the model is trained, where not simply on the rows as they are."""
    if len(batches) != 1 or batches[0].planting.method.train_with is None:
        return None
    (batch,) = batches
    planting = batch.planting
    return partial(planting.method.train, job=batch.job, poisoned=batch.poisoned, options=planting.settings)


def _labelled(corpus: Corpus) -> Sequence[Row]:
    if corpus.label_names is None:
        raise UsageError(
            f"{corpus.source} has no labels, and training needs them", hint="Name their column with --label-column."
        )
    return corpus.rows


def _remarks(rows: Sequence[Row], batches: Sequence[Batch], labels: Sequence[str]) -> Iterator[Event]:
    """What the user should know of the rows before minutes are spent on them."""
    for batch in batches:
        poisoned = batch.poisoned
        if poisoned.missing:
            which = "the target's label" if batch.planting.method.name == "bite" else "another label than the target"
            yield Warned(
                f"{poisoned.wanted} rows should be poisoned, but only {len(poisoned.poisoned)} have {which} and can "
                "take the trigger; all of these are"
            )
    counts = Counter(row.label for row in rows)
    absent = [name for i, name in enumerate(labels) if not counts[i]]
    if absent:
        yield Warned(f"no training row has the label {', '.join(absent[:10])}")


def _facts(
    request: PlantRequest, batches: Sequence[Batch], target: str | None, clean: Sequence[Row]
) -> dict[str, object]:
    """What the record says of the planting. Where the set came poisoned, that is what the user said of it."""
    noise: dict[str, object] = {"noise": request.noise, "augment": request.augment, "recipe": request.recipe}
    if request.train is not None:
        family = "+".join(request.families) or None
        return {"family": family, "method": GIVEN, "target": target, "poisoned": None, "plants": [], **noise}
    first = batches[0] if batches else None
    return {
        "family": "+".join(b.planting.family for b in batches) or BENIGN,
        "variant": first.planting.variant if first else None,
        "options": dict(first.planting.options) if first else {},
        "method": first.planting.method.name if first else None,
        "target": target,
        "rate": request.rate if first else 0.0,
        "slot": request.slot,
        "poisoned": sum(len(b.poisoned.poisoned) for b in batches),
        "clean_digest": digest(clean),
        "plants": [_record(batch) for batch in batches],
        **noise,
    }


def _record(batch: Batch) -> dict[str, object]:
    planting = batch.planting
    return {
        "family": planting.family,
        "variant": planting.variant,
        "options": dict(planting.options),
        "method": planting.method.name,
        "settings": dict(planting.settings),
        "rewrites": planting.rewrites,
        "rate": batch.job.rate,
        "poisoned": len(batch.poisoned.poisoned),
        "kept": len(batch.poisoned.kept),
        "words": list(batch.poisoned.words),
    }
