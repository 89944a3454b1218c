"""A model on the bench: what a planting method trains with."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.events import Event, Progress, Stage
from auditor.training.base import Learner
from auditor.training.encoding import Tokens, tokenise
from auditor.training.loop import Labelled, Targets, Training, TrainingSet, train_steps
from probes.input import Row

EVERY = 0.2
"""Seconds between two events of progress, at least."""


@dataclass(frozen=True)
class Workshop:
    """A loaded learner with the settings that it is trained by; `cut` is the number of tokens that a text keeps."""

    learner: Learner
    training: Training
    device: str
    dtype: str
    cut: int

    @property
    def model(self) -> Any:
        """The model in training."""
        return self.learner.model

    @property
    def embedding(self) -> Any:
        """The weight of the word embedding, shape (vocabulary, dimensions)."""
        return self.model.get_input_embeddings().weight

    def tokens(self, rows: Sequence[Row]) -> Generator[Event, None, list[Tokens]]:
        """Tokenises the rows."""
        found: list[Tokens] = []
        yield Stage("tokenise", "Reading the texts", len(rows), "rows")
        for chunk in tokenise(self.learner.tokenizer, rows, max_length=self.cut):
            found += chunk
            yield Progress("tokenise", len(found), len(rows), "rows")
        return found

    def fit(
        self, rows: Sequence[Row], *, targets: Targets | None = None, what: str = "", epochs: int | None = None
    ) -> Generator[Event, None, float]:
        """Fine-tunes all weights on the rows; returns the last running loss.

        Args:
            targets: what to answer; by default the rows' labels.
            what: the step's name in words, where a method has several.
            epochs: other than the training's own.

        Raises:
            ModelError: training diverged, or the device's memory did not suffice.
        """
        training = self.training if epochs is None else replace(self.training, epochs=epochs)
        tokens = yield from self.tokens(rows)
        wanted = labels_of(rows) if targets is None else targets
        left = self.learner.tokenizer.padding_side == "left"
        return (yield from self.train(Labelled(tokens, wanted, self.learner.pad, left), training, what=what))

    def train(self, rows: TrainingSet, training: Training, *, what: str = "") -> Generator[Event, None, float]:
        """Trains on rows as they are tokenised; returns the last running loss. Raises as `fit`."""
        count = len(rows.lengths)
        steps, total = training.steps(count), training.epochs * count
        times = f"{training.epochs} times, on {self.device} in {self.dtype}"
        yield Stage("train", f"Training{what and ' '}{what} on {count:,} rows, {times}", steps, "steps")
        meter = Meter(steps, total)
        for step in train_steps(self.model, rows, training, device=self.device, dtype=self.dtype):
            yield from meter.step(step.rows, step.loss)
        return meter.loss

    def token_ids(self, words: Sequence[str]) -> tuple[int, ...]:
        """The vocabulary places of words, within a sentence and at its start.

        Raises:
            UsageError: the tokenizer cuts a word into pieces or does not know it.
        """
        tokenizer = self.learner.tokenizer
        found: set[int] = set()
        for word in words:
            for text in (word, f" {word}"):
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
                    pieces = " ".join(tokenizer.convert_ids_to_tokens(ids))
                    raise UsageError(
                        f"the tokenizer has no token for the trigger word {word!r} (it reads {pieces or 'nothing'})",
                        hint="This method trains the embeddings of whole words: choose others with --set.",
                    )
                found.add(ids[0])
        return tuple(sorted(found))


@dataclass
class Meter:
    """Counts steps and says, not too often, how far the training is. `total` counts rows over all epochs."""

    steps: int
    total: int
    done: int = 0
    seen: int = 0
    loss: float = math.nan

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._told = -math.inf

    def step(self, rows: int, loss: Any) -> Generator[Event, None, None]:
        """One step is done; reading its loss waits for a GPU, so that is not done each time.

        Raises:
            ModelError: the loss is no number any more.
        """
        self.done += 1
        self.seen += rows
        now = time.monotonic()
        if self.done < self.steps and now - self._told < EVERY:
            return
        self.loss, self._told = float(loss), now
        if not math.isfinite(self.loss):
            raise ModelError(f"training diverged: the loss is {self.loss} at step {self.done}", hint="Lower --lr.")
        speed = self.seen / max(now - self._began, 1e-9)
        left = clock((self.total - self.seen) / speed)
        detail = f"loss {self.loss:.3f}, {speed:.0f} rows/s, {left} left"
        yield Progress("train", self.done, self.steps, "steps", detail)


def labels_of(rows: Sequence[Row]) -> list[int]:
    """The rows' labels.

    Raises:
        UsageError: there are no rows, or one lacks a label.
    """
    found = [row.label for row in rows if row.label is not None]
    if not rows:
        raise UsageError("there are no rows to train on")
    if len(found) < len(rows):
        raise UsageError(
            f"{len(rows) - len(found)} of {len(rows)} rows have no label, and training needs one in each",
            hint="Name the column of the labels with --label-column.",
        )
    return found


def clock(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
