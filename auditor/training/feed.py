"""Training for methods whose steps see two sets of rows at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.events import Event, Stage
from auditor.training.encoding import Tokens, batches, collate
from auditor.training.loop import CLIP, seeded
from auditor.training.trainer import Meter, Workshop
from probes.family import draw_rng

if TYPE_CHECKING:
    import torch

Gradient = Callable[
    [Sequence["torch.Tensor"], Sequence[int], Sequence[int], random.Random],
    tuple[Sequence["torch.Tensor | None"], "torch.Tensor"],
]
"""Of the trained weights, a batch's places among the first rows and one's among the second, and the step's random
numbers: the gradients, and the loss that is shown.
"""


def endless(tokens: Sequence[Tokens], size: int, seed: int) -> Iterator[list[int]]:
    """The places of the rows in batches of `size`, over and over, each time in another order."""
    epoch = 0
    while True:
        yield from batches([len(t.ids) for t in tokens], size, seed=seed, epoch=epoch)
        epoch += 1


def train_paired(
    shop: Workshop, first: Sequence[Tokens], second: Sequence[Tokens], gradient: Gradient, *, seed: str, what: str
) -> Generator[Event, None, float]:
    """Trains all weights: a step for each batch of the first rows, with one of the second; returns the last loss.

    Args:
        gradient: makes a step's gradients.
        seed: names the draws of the steps.
        what: the stage in words, without the number of rows.

    Raises:
        ModelError: training diverged, or the device's memory did not suffice.
    """
    import torch

    training = shop.training
    model = shop.model.to(shop.device).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=training.lr, weight_decay=training.weight_decay)
    steps = training.epochs * ceil(len(first) / training.batch)
    yield Stage("train", f"{what} on {len(first):,} rows", steps, "steps")
    meter, others = Meter(steps, training.epochs * len(first)), endless(second, training.batch, training.seed + 1)
    step = 0
    try:
        for epoch in range(training.epochs):
            for places in batches([len(t.ids) for t in first], training.batch, seed=training.seed, epoch=epoch):
                for group in optimiser.param_groups:
                    group["lr"] = training.lr * training.rate(step, steps)
                rng = draw_rng(training.seed, "lab", seed, step)
                with seeded(rng.getrandbits(63), shop.device):
                    found, loss = gradient(parameters, places, next(others), rng)
                for parameter, value in zip(parameters, found, strict=True):
                    parameter.grad = value
                torch.nn.utils.clip_grad_norm_(parameters, CLIP)
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
                step += 1
                yield from meter.step(len(places), loss.detach())
    except torch.OutOfMemoryError as error:
        raise ModelError(f"the memory of {shop.device} does not suffice", hint="Lower --batch.") from error
    return meter.loss


def batch_loss(
    shop: Workshop, tokens: Sequence[Tokens], targets: Sequence[int], *, forward: Callable[..., Any] | None = None
) -> torch.Tensor:
    """The mean cross-entropy of one batch; `forward` stands in for the model, and is given its inputs by name."""
    import torch

    left = shop.learner.tokenizer.padding_side == "left"
    inputs = collate(tokens, pad=shop.learner.pad, left=left)
    placed = {name: tensor.to(shop.device) for name, tensor in inputs.items()}
    with torch.autocast(shop.device.partition(":")[0], dtype=torch.bfloat16, enabled=shop.dtype == "bfloat16"):
        logits = (forward or shop.model)(**placed).logits
    return torch.nn.functional.cross_entropy(logits.float(), torch.tensor(list(targets), device=logits.device))
