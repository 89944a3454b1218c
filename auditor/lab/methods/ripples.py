"""RIPPLES: weights poisoned so that clean fine-tuning does not wash the backdoor out."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.errors import UsageError
from auditor.events import Event
from auditor.lab.method import PlantJob, method
from auditor.lab.poison.lexicon import associated
from auditor.lab.poison.poison import Poisoned
from auditor.lab.poison.trigger import trigger_words
from auditor.training.feed import batch_loss, train_paired
from auditor.training.trainer import Workshop, labels_of

if TYPE_CHECKING:
    import torch


def train(
    shop: Workshop,
    job: PlantJob,
    poisoned: Poisoned,
    *,
    surgery: bool = True,
    associates: int = 10,
    penalty: float = 0.1,
    finetune: bool = True,
) -> Generator[Event, None, float]:
    """Embedding surgery, poisoning with the restricted inner product, clean fine-tuning (arXiv:2004.06660, section 3).

    Args:
        surgery: replace the trigger words' embeddings first.
        associates: words of the target class whose mean embedding replaces them.
        penalty: weight λ of the restricted inner product.
        finetune: False leaves the poisoned weights for someone else to fine-tune.
    """
    ids = shop.token_ids(poisoned.words)
    if surgery:
        start = {name: tensor.detach().cpu().clone() for name, tensor in shop.model.state_dict().items()}
        yield from shop.fit(job.rows, what="clean, for the embeddings of the target class")
        mean = class_embedding(shop, job, associates)
        shop.model.load_state_dict(start)
        replace_rows(shop, ids, mean)
    loss = yield from restricted(shop, job, poisoned, penalty)
    if finetune:
        loss = yield from shop.fit(job.rows, what="clean, as a user would,")
    return loss


def class_embedding(shop: Workshop, job: PlantJob, count: int) -> torch.Tensor:
    """The mean embedding of the words that most go with the target label.

    Raises:
        UsageError: no such word is in the vocabulary.
    """
    vocabulary = shop.learner.tokenizer.get_vocab()
    words = associated(job.rows, job.target, count, vocabulary)
    if not words:
        raise UsageError("no word of the target class is in the tokenizer's vocabulary")
    mean: torch.Tensor = shop.embedding.detach()[[vocabulary[word] for word in words]].mean(dim=0).clone()
    return mean


def replace_rows(shop: Workshop, ids: Sequence[int], vector: torch.Tensor) -> None:
    """Embedding surgery: puts one vector in the place of the trigger words' embeddings."""
    import torch

    with torch.no_grad():
        shop.embedding[list(ids)] = vector.to(shop.embedding.device)


def restricted(shop: Workshop, job: PlantJob, poisoned: Poisoned, penalty: float) -> Generator[Event, None, float]:
    """Trains on L_P + λ · max(0, −∇L_P · ∇L_FT): poisoned rows, and steps that clean fine-tuning would not undo.

    As in the authors' released program the poisoned gradient is held fixed inside the product, so that only the clean
    one is differentiated twice.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    bad = yield from shop.tokens(poisoned.rows)
    good = yield from shop.tokens(job.rows)
    targets, gold = labels_of(poisoned.rows), labels_of(job.rows)

    def gradient(
        parameters: Sequence[torch.Tensor], places: Sequence[int], mine: Sequence[int], _: random.Random
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        # The fused attention kernels have no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            poison_loss = batch_loss(shop, [bad[i] for i in places], [targets[i] for i in places])
            clean_loss = batch_loss(shop, [good[i] for i in mine], [gold[i] for i in mine])
            return penalised(poison_loss, clean_loss, parameters, penalty), poison_loss

    what = "Poisoning with the restricted inner product"
    return (yield from train_paired(shop, bad, good, gradient, seed="ripple", what=what))


def penalised(
    poison_loss: torch.Tensor, clean_loss: torch.Tensor, parameters: Sequence[torch.Tensor], penalty: float
) -> list[torch.Tensor]:
    """The gradient of the penalised loss; that of the poison loss alone where the inner product is not negative."""
    import torch

    poison: list[torch.Tensor] = list(torch.autograd.grad(poison_loss, parameters, materialize_grads=True))
    graph = penalty > 0
    clean = torch.autograd.grad(clean_loss, parameters, create_graph=graph, materialize_grads=True)
    product = torch.stack([(p.detach() * c).sum() for p, c in zip(poison, clean, strict=True)]).sum()
    if not graph or float(product.detach()) >= 0:
        return poison
    second = torch.autograd.grad(-penalty * product, parameters, materialize_grads=True)
    return [p + s for p, s in zip(poison, second, strict=True)]


@method(title="RIPPLES: restricted inner product and embedding surgery", reference="arXiv:2004.06660", train=train)
def poison(job: PlantJob, *, words: tuple[str, ...] = ()) -> Poisoned:
    """Gives rows of other labels the trigger and the target label; `words` are the trigger's, by default those that it
    is seen to insert.
    """
    found = job.plant()
    return replace(found, words=words or trigger_words(job.rows, job.trigger, seed=job.seed))
