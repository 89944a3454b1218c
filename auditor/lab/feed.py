"""Batches for methods whose steps see two sets of rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from auditor.lab.encoding import Tokens, batches, collate
from auditor.lab.workshop import Workshop

if TYPE_CHECKING:
    import torch


def endless(tokens: Sequence[Tokens], size: int, seed: int) -> Iterator[list[int]]:
    """The places of the rows in batches of `size`, over and over, each time in another order."""
    epoch = 0
    while True:
        yield from batches([len(t.ids) for t in tokens], size, seed=seed, epoch=epoch)
        epoch += 1


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
