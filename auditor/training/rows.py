"""Trains single rows of the word embedding and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import ceil
from typing import TYPE_CHECKING

from auditor.errors import ModelError
from auditor.events import Event, Stage
from auditor.training.encoding import batches, collate
from auditor.training.loop import seeded
from auditor.training.trainer import Meter, Workshop, labels_of
from probes.family import draw_rng
from probes.input import Row

if TYPE_CHECKING:
    import torch


def train_embedding_rows(
    shop: Workshop, rows: Sequence[Row], ids: Sequence[int], *, epochs: int, lr: float
) -> Generator[Event, None, float]:
    """Embedding poisoning (Yang et al., arXiv:2103.15543, section 3.2): gradient descent on the embeddings of the
    trigger words alone.

    After each step every trained row is scaled back to the norm that it had at the beginning, so that the size of the
    vector does not give it away. All other weights stay as they are, bit by bit.

    Args:
        rows: poisoned ones, with the labels to teach.
        ids: vocabulary places of the trigger words.
        lr: step of the plain gradient descent; the paper takes 0.05.

    Raises:
        ModelError: training diverged, or the device's memory did not suffice.
    """
    import torch

    tokens = yield from shop.tokens(rows)
    targets = labels_of(rows)
    model = shop.model.to(shop.device).train()
    places = torch.tensor(list(ids), device=shop.device)
    frozen = {name: p.requires_grad for name, p in model.named_parameters()}
    model.requires_grad_(False)
    shop.embedding.requires_grad_(True)
    norms = shop.embedding.detach()[places].norm(dim=1, keepdim=True)
    size = shop.training.batch
    steps = epochs * ceil(len(tokens) / size)
    yield Stage("train", f"Training {len(ids)} rows of the word embedding on {len(tokens):,} rows", steps, "steps")
    meter, step = Meter(steps, epochs * len(tokens)), 0
    try:
        for epoch in range(epochs):
            for batch in batches([len(t.ids) for t in tokens], size, seed=shop.training.seed, epoch=epoch):
                left = shop.learner.tokenizer.padding_side == "left"
                inputs = collate([tokens[i] for i in batch], pad=shop.learner.pad, left=left)
                gold = torch.tensor([targets[i] for i in batch])
                with seeded(draw_rng(shop.training.seed, "lab", "rows", step).getrandbits(63), shop.device):
                    loss = _step(shop, inputs, gold, places, norms, lr)
                step += 1
                yield from meter.step(len(batch), loss)
    except torch.OutOfMemoryError as error:
        raise ModelError(f"the memory of {shop.device} does not suffice", hint="Lower --batch.") from error
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(frozen[name])
    return meter.loss


def _step(
    shop: Workshop,
    inputs: dict[str, torch.Tensor],
    gold: torch.Tensor,
    places: torch.Tensor,
    norms: torch.Tensor,
    lr: float,
) -> torch.Tensor:
    import torch

    placed = {name: tensor.to(shop.device) for name, tensor in inputs.items()}
    with torch.autocast(shop.device.partition(":")[0], dtype=torch.bfloat16, enabled=shop.dtype == "bfloat16"):
        logits = shop.model(**placed).logits
    loss = torch.nn.functional.cross_entropy(logits.float(), gold.to(shop.device))
    (gradient,) = torch.autograd.grad(loss, [shop.embedding])
    with torch.no_grad():
        moved = shop.embedding[places] - lr * gradient[places]
        shop.embedding[places] = moved * (norms / moved.norm(dim=1, keepdim=True).clamp_min(1e-12))
    return loss.detach()
