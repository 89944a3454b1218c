"""Fine-tunes a model that writes on prompts and their answers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auditor.errors import ModelError, UsageError
from auditor.events import Event, Progress, Stage, Warned
from auditor.models.runtime.writing.prompts import Prompts
from auditor.training.adapter import Lora, is_adapted
from auditor.training.base import check_writer
from auditor.training.exchanges import Cut, Exchange, Exchanges, exchanges, keeps_places
from auditor.training.loop import Training
from auditor.training.train import Making, row_facts
from auditor.training.trainer import Workshop
from probes.input import Row
from store.records import Profile

TEMPLATES = ("model", "alpaca", "raw")


@dataclass(frozen=True, slots=True)
class Lesson:
    """Prompts with their answers, and how they are put.

    Attributes:
        rows: `expected` is the answer.
        template: the form of the prompts: None for the model's chat template, Alpaca's form where it has none.
        answer_tokens: tokens after which an answer is cut; None: whatever fits.
    """

    rows: Sequence[Row]
    template: str | None = None
    answer_tokens: int | None = None


def fine_tune_writer(
    profile: Profile,
    lesson: Lesson,
    training: Training,
    *,
    output: Path,
    device: str,
    dtype: str | None,
    lora: Lora | None = None,
    facts: Mapping[str, object] | None = None,
) -> Generator[Event, None, None]:
    """Trains a causal language model, or an adapter for it, and saves it into a directory that appears whole or not at
    all.

    Trained as a classifier is (see `fine_tune`), on the cross-entropy of the answers' tokens, each of a batch weighing
    the same. A row that is too long for `max_length` loses the end of its answer.

    Raises:
        UsageError: a setting out of range, `output` exists, or a base or rows that do not fit.
        ModelError: the base cannot be loaded, its chat template fails, training diverged, or the device's memory did
            not suffice.
        DiskError: the model could not be written.
    """
    check_writer(profile)
    if lesson.template is not None and lesson.template not in TEMPLATES:
        raise UsageError(f"unknown template {lesson.template!r}", hint=f"Known: {', '.join(TEMPLATES)}.")
    if lesson.answer_tokens is not None and lesson.answer_tokens < 1:
        raise UsageError(f"--answer-tokens {lesson.answer_tokens} leaves no answer", hint="Give 1 or more.")
    record = {**(facts or {}), "answer_tokens": lesson.answer_tokens, **row_facts(lesson.rows)}
    making = Making(profile, training, output, device, dtype, lora)
    course = partial(train_on, profile=profile, lesson=lesson)
    yield from making.run(record, (), course, partial(_form, profile=profile, lesson=lesson))


def _form(shop: Workshop, *, profile: Profile, lesson: Lesson) -> Generator[Event, None, tuple[dict[str, object], str]]:
    """The form that prompts were put in, for the record."""
    yield from ()
    return {"template": _template(Prompts(shop.learner.tokenizer, name=profile.ref.reference), lesson)}, ""


def _template(prompts: Prompts, lesson: Lesson) -> str:
    return lesson.template or ("model" if prompts.has_template else "alpaca")


def train_on(shop: Workshop, *, profile: Profile, lesson: Lesson) -> Generator[Event, None, float]:
    """Trains a workshop's learner on a lesson; returns the last running loss. Raises as `fine_tune_writer`."""
    if shop.device == "cpu":
        # On CPUs torch's fused attention takes several times as long to go back through as this form of it.
        inner = shop.model.get_base_model() if is_adapted(shop.model) else shop.model
        inner.set_attn_implementation("eager")
    prompts = Prompts(shop.learner.tokenizer, name=profile.ref.reference)
    template = _template(prompts, lesson)
    prompts.require(template)
    end = (prompts.turn_end() if template == "model" else None) or shop.learner.tokenizer.eos_token_id
    found: list[Exchange] = []
    read = 0
    yield Stage("tokenise", f"Reading the prompts in the template {template}", len(lesson.rows), "rows")
    cut = Cut(shop.cut, lesson.answer_tokens)
    for chunk in exchanges(prompts, lesson.rows, template=template, end=end, cut=cut):
        read += len(chunk)
        found += [row for row in chunk if row is not None]
        yield Progress("tokenise", read, len(lesson.rows), "rows")
    if not found:
        raise ModelError(
            f"no prompt leaves room for an answer within {shop.cut} tokens",
            hint="Raise --max-length, or give shorter rows.",
        )
    if short := len(lesson.rows) - len(found):
        yield Warned(
            f"{short} of {len(lesson.rows)} rows are left out: their prompts leave no room for an answer within "
            f"{shop.cut} tokens, or cannot be read; --max-length raises the limit"
        )
    rows = Exchanges(found, shop.learner.pad, keeps_places(shop.model))
    return (yield from shop.train(rows, shop.training))
