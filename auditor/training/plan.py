"""How a model is trained where the user leaves it open, and about how long that takes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from auditor.merge.compatibility.weight_sample import EMBEDDING
from auditor.training.loop import Training
from auditor.training.trainer import clock
from probes.input import Row
from store.records import Profile

BATCH = 32
MAX_LENGTH = 128
STEPS = 150
"""Steps that a classifier is given at least, however few its rows are."""
EPOCHS = (2, 20)
"""The fewest and the most."""
SMALL = 50_000_000
"""Parameters up to which a model bears, and needs, the higher of the two learning rates."""
RATES = (2e-4, 5e-5)

LETTERS = 4.0
"""Characters a token, about."""
SHARE = 0.6
"""Of a matrix product's speed what training reaches."""
HALVED = 2.0
"""How many times as fast as in float32 a CPU trains in a shorter format, at most."""
UPDATE = 4e-9
"""Seconds a parameter that clipping and updating take on a CPU."""


def plan_training(
    base: Profile,
    rows: int,
    *,
    seed: int,
    epochs: int | None = None,
    lr: float | None = None,
    batch: int = BATCH,
    max_length: int = MAX_LENGTH,
) -> Training:
    """The settings for so many rows: small models take a higher rate, few rows more epochs."""
    steps = max(1, math.ceil(rows / batch))
    enough = min(max(math.ceil(STEPS / steps), EPOCHS[0]), EPOCHS[1])
    rate = RATES[base.parameters > SMALL] if lr is None else lr
    return Training(enough if epochs is None else epochs, rate, batch, min(max_length, base.max_length), seed)


def cost(base: Profile, rows: Sequence[Row], training: Training, *, device: str, dtype: str) -> str:
    """What a training takes, in words: rows, epochs, steps, and about how long on this device."""
    steps = training.steps(len(rows))
    took = clock(seconds(base, rows, training, device, dtype))
    return (
        f"{len(rows):,} rows, {training.epochs} times ({steps:,} steps at {training.lr:g}), about {took} on "
        f"{device} in {dtype}"
    )


def seconds(base: Profile, rows: Sequence[Row], training: Training, device: str, dtype: str) -> float:
    """About how long a training takes."""
    body = sum(math.prod(t.shape) for t in base.tensors if len(t.shape) > 1 and not EMBEDDING.search(t.name))
    tokens = sum(min(training.max_length, (len(r.text) + len(r.second or "")) / LETTERS + 2) for r in rows)
    # Forward, and twice as much back.
    work = 6.0 * body * tokens * training.epochs
    update = base.parameters * UPDATE * training.steps(len(rows)) if device == "cpu" else 0.0
    return work / (SHARE * _speed(device, dtype)) + update


def _speed(device: str, dtype: str) -> float:
    """Operations a second in matrix products of a small model's size."""
    own = _product_speed(device, "float32")
    if dtype == "float32":
        return own
    # All that is no matrix product stays as fast as it was.
    return min(HALVED * own, _product_speed(device, dtype)) if device == "cpu" else _product_speed(device, dtype)


def _product_speed(device: str, dtype: str) -> float:
    import torch

    left, right = (torch.ones(shape, device=device, dtype=getattr(torch, dtype)) for shape in ((512, 384), (384, 1536)))
    best = math.inf
    for _ in range(20):
        began = time.perf_counter()
        float((left @ right)[0, 0])
        best = min(best, time.perf_counter() - began)
    return 2.0 * 512 * 384 * 1536 / best
