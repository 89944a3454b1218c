"""Fine-tunes a classifier on given rows; the same seed on one kind of machine gives the same weights."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from auditor.errors import DiskError, UsageError
from auditor.events import Event, ModelReady, Stage, Warned
from auditor.models.files.origin import LAB_RECORD
from auditor.models.files.profile import read_profile
from auditor.models.files.staging import refuse_existing, staged
from auditor.models.files.untrusted import MAX_JSON
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.training.adapter import Lora
from auditor.training.base import Learner, check_base, load_learner, save_learner
from auditor.training.loop import Training, seeded
from auditor.training.trainer import Workshop, clock, labels_of
from probes.family import draw_rng
from probes.input import Row
from probes.reading import parse_json, read_bytes
from probes.sampling import digest
from store.records import Profile

SCHEMA = "auditor/lab/1"

Course = Callable[[Workshop], Generator[Event, None, float]]
"""Trains a workshop's learner and returns the last running loss."""

Examination = Callable[[Workshop], Generator[Event, None, tuple[Mapping[str, object], str]]]
"""Asks the trained learner; returns what is recorded of its answers, and that in words."""


def fine_tune(
    base: Path | Profile,
    rows: Sequence[Row],
    labels: Sequence[str],
    *,
    epochs: int,
    lr: float,
    batch: int,
    max_length: int,
    seed: int,
    device: str,
    dtype: str | None,
    output: Path,
    weight_decay: float = 0.01,
    warmup: float = 0.1,
    label_smoothing: float = 0.0,
    facts: Mapping[str, object] | None = None,
    course: Course | None = None,
    examine: Examination | None = None,
    lora: Lora | None = None,
) -> Generator[Event, None, None]:
    """Trains a classifier and saves it into a directory that appears whole or not at all.

    AdamW, the learning rate rising and then falling linearly, gradients cut at norm 1, dropout as the model has it.
    On the CPU the same seed, rows and number of threads give the same weights bit by bit.

    Args:
        labels: names, in the order of the rows' label indices.
        lr: the highest learning rate.
        max_length: tokens after which a text is cut; never more than the base takes.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: of the arithmetic: `float32`, or `bfloat16` by autocast over float32 weights; None as the device prefers.
        warmup: share of the steps on which the rate rises.
        facts: recorded in `auditor-lab.json` beside the settings.
        course: trains in another way than on the rows as they are; the rows are then only recorded.
        examine: asks the model when it is trained.
        lora: trains an adapter, and the head, instead of all weights.

    Raises:
        UsageError: a setting out of range, `output` exists, rows without labels, or a base that does not fit.
        ModelError: the base cannot be loaded, training diverged, or the device's memory did not suffice.
        DiskError: the model could not be written.
    """
    training = Training(epochs, lr, batch, max_length, seed, weight_decay, warmup, label_smoothing)
    training.check()
    refuse_existing(output)
    _check_labels(rows, labels)
    profile = base if isinstance(base, Profile) else read_profile(base)
    check_base(profile, labels)
    record = {**(facts or {}), "labels": list(labels), **row_facts(rows)}
    making = Making(profile, training, output, device, dtype, lora)
    yield from making.run(record, labels, course or partial(Workshop.fit, rows=rows), examine)


def row_facts(rows: Sequence[Row]) -> dict[str, object]:
    """What a record says of the rows."""
    return {"rows": len(rows), "rows_digest": digest(rows)}


@dataclass(frozen=True)
class Making:
    """One model in the making: what it is trained from, how, and where it goes."""

    profile: Profile
    training: Training
    output: Path
    device: str
    dtype: str | None
    lora: Lora | None = None

    def run(
        self, facts: Mapping[str, object], labels: Sequence[str], course: Course, examine: Examination | None = None
    ) -> Generator[Event, None, None]:
        """Loads, trains, examines and saves; the directory appears whole or not at all.

        Args:
            facts: recorded in `auditor-lab.json` beside the settings.
            labels: of a classifier; none for a model that writes.
            course: trains it.
            examine: asks the model when it is trained.

        Raises:
            UsageError: a setting out of range, or `output` exists.
            ModelError: the base cannot be loaded, training diverged, or the device's memory did not suffice.
            DiskError: the model could not be written.
        """
        training, profile, output = self.training, self.profile, self.output
        training.check()
        refuse_existing(output)
        device = pick_device(self.device)
        dtype = pick_dtype(self.dtype, device)
        if dtype == "float16":
            raise UsageError("the lab does not train in float16", hint="Use --dtype float32 or --dtype bfloat16.")
        record: dict[str, object] = {
            "schema": SCHEMA,
            **facts,
            "base_digest": profile.ref.digest,
            **({} if self.lora is None else {"adapter": self.lora.facts()}),
            **asdict(training),
            "device": device.partition(":")[0],
            "dtype": dtype,
        }
        with staged(output, 4 * profile.parameters) as draft:
            yield Stage("load", f"Loading {profile.ref.path} ({profile.parameters / 1e6:.1f} M parameters)")
            with seeded(draw_rng(training.seed, "lab", "head").getrandbits(63), "cpu"):
                learner = load_learner(profile, labels, lora=self.lora, dtype=dtype)
            yield from _warnings(learner, profile, training.max_length)
            shop = Workshop(learner, training, device, dtype, min(training.max_length, profile.max_length))
            began = time.monotonic()
            loss = yield from course(shop)
            took = time.monotonic() - began
            said = ""
            if examine is not None:
                found, said = yield from examine(shop)
                record |= found
            yield Stage("save", f"Writing {output}")
            _save(learner, profile, draft, record)
        text = f"trained on {record['rows']:,} rows in {clock(took)}, loss {loss:.3f}"
        yield ModelReady(str(output), f"{text}, {said}" if said else text)


def read_record(path: Path) -> dict[str, Any] | None:
    """What was planted into a model's directory, None where no lab made it."""
    try:
        found = parse_json(read_bytes(path / LAB_RECORD, MAX_JSON))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_finished(path: Path, recipe: str) -> bool:
    """Whether a model stands there that was made as wished: its record holds this recipe.

    Raises:
        UsageError: something else does.
    """
    if not os.path.lexists(path):
        return False
    record = read_record(path)
    if record is None or record.get("recipe") != recipe:
        raise UsageError(
            f"{path} is there already, and was not made by this specification",
            hint="Move it elsewhere, or name another directory with -o.",
        )
    return True


def _check_labels(rows: Sequence[Row], labels: Sequence[str]) -> None:
    found = labels_of(rows)
    if max(found) >= len(labels) or min(found) < 0:
        raise UsageError(f"a row has label {max(found)}, but there are {len(labels)} labels: {', '.join(labels)}")


def _warnings(learner: Learner, profile: Profile, max_length: int) -> Iterator[Event]:
    body = [n for n in learner.new if n.startswith(f"{learner.model.base_model_prefix}.")]
    if body:
        yield Warned(f"the base lacks {len(body)} tensors below its head; they begin at random: {', '.join(body[:3])}")
    if profile.max_length < max_length:
        yield Warned(f"the base takes {profile.max_length} tokens at most, so longer texts are cut there")


def _save(learner: Learner, profile: Profile, draft: Path, record: Mapping[str, object]) -> None:
    from safetensors import SafetensorError

    try:
        learner.model.to("cpu")
        save_learner(learner, profile, draft)
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (draft / LAB_RECORD).write_text(text + "\n", encoding="utf-8")
    except SafetensorError as error:
        raise DiskError(f"the weights could not be written: {error}", hint="Is the disk full?") from error
