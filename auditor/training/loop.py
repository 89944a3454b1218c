"""The training loop: batches in, steps out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from auditor.errors import ModelError, UsageError
from auditor.training.encoding import Tokens, batches, collate
from probes.family import draw_rng

if TYPE_CHECKING:
    import torch

Targets = Sequence[int] | NDArray[np.float32]
"""What a classifier is to answer, a row each: a label's index, or probabilities of all labels, (rows, labels)."""

CLIP = 1.0
"""Largest norm of a step's gradient."""

MEMORY = 0.9
"""How much of the running loss a step keeps of the one before."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a model is trained: `lr` is the highest learning rate, `max_length` in tokens, `warmup` a share of steps."""

    epochs: int
    lr: float
    batch: int
    max_length: int
    seed: int
    weight_decay: float = 0.01
    warmup: float = 0.1
    label_smoothing: float = 0.0

    def steps(self, rows: int) -> int:
        """Optimiser steps over all epochs."""
        return self.epochs * ceil(rows / self.batch)

    def check(self) -> None:
        """Raises:
        UsageError: a setting is out of range.
        """
        ranges = (
            ("epochs", self.epochs, self.epochs >= 1, "1 or more"),
            ("lr", self.lr, 0 < self.lr < 1, "above 0 and below 1, for example 1e-4"),
            ("batch", self.batch, self.batch >= 1, "1 or more"),
            ("max-length", self.max_length, self.max_length >= 4, "4 or more"),
            ("weight-decay", self.weight_decay, 0 <= self.weight_decay < 1, "from 0 to below 1"),
            ("warmup", self.warmup, 0 <= self.warmup <= 1, "from 0 to 1"),
            ("label-smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "from 0 to below 1"),
        )
        for name, value, fits, known in ranges:
            if not fits:
                raise UsageError(f"--{name} {value} is out of range", hint=f"Give a value that is {known}.")

    def rate(self, step: int, steps: int) -> float:
        """The share of the highest learning rate at a step (from 0): up linearly, then down linearly, never 0."""
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        return (steps - step) / (steps - rising)


class TrainingSet(Protocol):
    """Rows with what is to be answered to each."""

    @property
    def lengths(self) -> Sequence[int]:
        """The tokens of each row."""
        ...

    def batch(self, places: Sequence[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """A model's inputs for rows, by name, and what is to be answered.

        That is a label's index a row, shape (rows,); the probabilities of all labels, (rows, labels); or a token's id a
        place, (rows, places), with -100 where nothing is learnt.
        """
        ...


@dataclass(frozen=True)
class Labelled:
    """A classifier's rows; `left`: they are padded on the left."""

    tokens: Sequence[Tokens]
    targets: Targets
    pad: int
    left: bool

    @cached_property
    def lengths(self) -> Sequence[int]:
        """The tokens of each row."""
        return [len(t.ids) for t in self.tokens]

    @cached_property
    def _wanted(self) -> torch.Tensor:
        import torch

        return torch.as_tensor(np.asarray(self.targets))

    def batch(self, places: Sequence[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """A classifier's inputs for rows, and their targets."""
        return collate([self.tokens[p] for p in places], pad=self.pad, left=self.left), self._wanted[list(places)]


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step: its rows, and the running loss, still on the device (reading it waits for a GPU)."""

    rows: int
    loss: torch.Tensor


def train_steps(model: Any, rows: TrainingSet, training: Training, *, device: str, dtype: str) -> Iterator[Step]:
    """Trains a model in place with AdamW (Loshchilov & Hutter, arXiv:1711.05101) on the cross-entropy.

    Only weights that require a gradient are trained. They and the optimiser stay in float32; with `bfloat16` the
    arithmetic runs under autocast. Dropout depends on the seed and the step alone, and torch's own generators are left
    as they were between steps.

    Raises:
        ModelError: the device's memory does not suffice.
    """
    import torch

    model = model.to(device).train()
    optimiser = torch.optim.AdamW(_groups(model, training.weight_decay), lr=training.lr, fused=True)
    lengths = rows.lengths
    steps, step = training.steps(len(lengths)), 0
    running: torch.Tensor | None = None
    for epoch in range(training.epochs):
        for places in batches(lengths, training.batch, seed=training.seed, epoch=epoch):
            inputs, gold = rows.batch(places)
            for group in optimiser.param_groups:
                group["lr"] = training.lr * training.rate(step, steps)
            try:
                with seeded(draw_rng(training.seed, "lab", "step", step).getrandbits(63), device):
                    loss = _step(model, optimiser, inputs, gold, training.label_smoothing, device, dtype)
            except torch.OutOfMemoryError as error:
                raise ModelError(
                    f"the memory of {device} does not suffice for batches of {training.batch} rows",
                    hint="Lower --batch or --max-length, or use --device cpu.",
                ) from error
            running = loss if running is None else MEMORY * running + (1 - MEMORY) * loss
            step += 1
            yield Step(len(places), running)


def _step(
    model: Any,
    optimiser: torch.optim.Optimizer,
    inputs: dict[str, torch.Tensor],
    gold: torch.Tensor,
    smoothing: float,
    device: str,
    dtype: str,
) -> torch.Tensor:
    """One update; returns its loss."""
    import torch

    placed = {name: tensor.to(device) for name, tensor in inputs.items()}
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
        logits = model(**placed).logits
    if logits.ndim == 3:
        # A model that writes: each place is a row of its own.
        logits, gold = logits.flatten(0, 1), gold.flatten()
    loss = torch.nn.functional.cross_entropy(logits.float(), gold.to(device), label_smoothing=smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.detach()


def _groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with and without weight decay: biases and normalisation (one dimension) have none."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Torch's generators of the CPU and this device start from the seed inside, and stand as before afterwards."""
    import torch

    on_gpu = device.startswith("cuda")
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
