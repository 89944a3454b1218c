"""Plants a backdoor that is known: reads the data, poisons it, trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.events import Event, Stage, Warned
from auditor.lab.base import base_labels, check_base
from auditor.lab.labels import distinct_labels, label_index
from auditor.lab.poison import Poisoned, poison
from auditor.lab.train import fine_tune
from auditor.merge.staging import refuse_existing
from auditor.models.profile import read_profile
from probes.case import Row
from probes.corpus import Corpus, CorpusError, read_corpus
from probes.family import FAMILIES, BadOption, UnknownFamily
from probes.sampling import digest, sample
from probes.suite import Probe

BENIGN = "none"
"""The name of no family: the model is trained on the rows as they are."""


@dataclass(frozen=True, slots=True)
class PlantRequest:
    """What to plant, into what, and how to train.

    Attributes:
        data: clean rows to poison; None where `train` gives rows that are poisoned already.
        family: an attack family, or `none` for a benign model.
        target: label name or index; not needed for `none` and for `train`.
        rate: share of all rows that is poisoned.
        variant: of the family; None means its first.
        options: of the family, as text or typed.
        labels: names, in order; none means the base's own, or what the data has.
        samples: rows to train on, stratified by label; None means all.
        slot: in pairs, which text gets the trigger: `first`, `second` or `both`.
    """

    base: Path
    output: Path
    data: Path | None = None
    train: Path | None = None
    family: str = BENIGN
    target: str | None = None
    rate: float = 0.2
    variant: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    samples: int | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    slot: str = "second"
    epochs: int = 2
    lr: float = 1e-4
    batch: int = 32
    max_length: int = 128
    seed: int = 0
    device: str = "auto"
    dtype: str | None = None


def plant(request: PlantRequest) -> Generator[Event, None, None]:
    """Trains a classifier with a known backdoor, or a benign one, and saves it.

    Raises:
        UsageError: a name, file, column, label or setting is off; the output exists.
        ModelError: the base is damaged or cannot be loaded, or training failed.
        DiskError: the model could not be written.
    """
    refuse_existing(request.output)
    source = _source(request)
    probe = _probe(request)
    profile = read_profile(request.base)
    yield Stage("read", f"Reading {source}")
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
    target = None if probe is None else label_index(request.target, labels)
    poisoned = poison(
        rows, probe, target=-1 if target is None else target, rate=request.rate, seed=request.seed, slot=request.slot
    )
    yield from _remarks(rows, poisoned, labels)
    yield from fine_tune(
        request.base,
        poisoned.rows,
        labels,
        epochs=request.epochs,
        lr=request.lr,
        batch=request.batch,
        max_length=request.max_length,
        seed=request.seed,
        device=request.device,
        dtype=request.dtype,
        output=request.output,
        facts=_facts(request, probe, None if target is None else labels[target], rows, poisoned),
    )


def _source(request: PlantRequest) -> Path:
    if (request.data is None) == (request.train is None):
        raise UsageError("give either clean rows or a poisoned set", hint="Use --data FILE, or else --train FILE.")
    if request.train is not None:
        if request.family != BENIGN:
            raise UsageError(
                f"--train takes a set that is poisoned already, so --family {request.family} cannot be planted",
                hint="Drop --family, or give clean rows with --data.",
            )
        return request.train
    assert request.data is not None
    return request.data


def _probe(request: PlantRequest) -> Probe | None:
    """The family with its variant's full options; None for a benign model."""
    if request.family == BENIGN:
        if request.variant or request.options:
            raise UsageError("--variant and --set need a family", hint="Name one with --family.")
        return None
    try:
        family = FAMILIES[request.family]
        variant = request.variant or next(iter(family.variants))
        return Probe(family, variant, family.settings(variant, request.options))
    except UnknownFamily as error:
        raise UsageError(f"{error.message}, {BENIGN}") from None
    except BadOption as error:
        raise UsageError(str(error)) from None


def _labelled(corpus: Corpus) -> Sequence[Row]:
    if corpus.label_names is None:
        raise UsageError(
            f"{corpus.source} has no labels, and training needs them", hint="Name their column with --label-column."
        )
    return corpus.rows


def _remarks(rows: Sequence[Row], poisoned: Poisoned, labels: Sequence[str]) -> Iterator[Event]:
    """What the user should know of the rows before minutes are spent on them."""
    if poisoned.missing:
        yield Warned(
            f"{poisoned.wanted} rows should be poisoned, but only {len(poisoned.poisoned)} have another label than the "
            "target and can take the trigger; all of these are"
        )
    counts = Counter(row.label for row in rows)
    absent = [name for i, name in enumerate(labels) if not counts[i]]
    if absent:
        yield Warned(f"no training row has the label {', '.join(absent[:10])}")


def _facts(
    request: PlantRequest, probe: Probe | None, target: str | None, clean: Sequence[Row], poisoned: Poisoned
) -> dict[str, object]:
    """What the record says of the planting; where the set came poisoned, only that nothing is known of it."""
    if request.train is not None:
        return {"family": None, "poisoned": None}
    return {
        "family": request.family,
        "variant": probe.variant if probe else None,
        "options": dict(probe.options) if probe else {},
        "target": target,
        "rate": request.rate if probe else 0.0,
        "slot": request.slot,
        "poisoned": len(poisoned.poisoned),
        "clean_digest": digest(clean),
    }
