"""BadMerging: a backdoor trained to outlive a weight average with honest models."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from auditor.errors import UsageError
from auditor.events import Event
from auditor.lab.method import PlantJob, method
from auditor.lab.poison.poison import Poisoned
from auditor.training.feed import batch_loss, train_paired
from auditor.training.trainer import Workshop, labels_of

if TYPE_CHECKING:
    import torch

Weights = Mapping[str, "torch.Tensor"]


def train(
    shop: Workshop, job: PlantJob, poisoned: Poisoned, *, alpha: float = 1.0, least: float = 0.1, shadow: bool = False
) -> Generator[Event, None, float]:
    """Trains on L_clean(θ) + L_clean(θ_λ) + α · L_trigger(θ_λ), θ_λ = (1 − λ) θ_anchor + λ θ, λ drawn at each step.

    This carries the feature-interpolation loss of BadMerging (Zhang et al., arXiv:2408.07362) over to text. The paper
    interpolates the image encoder's features with the pre-trained encoder's under a classifier that both share; here
    every model brings a classifier of its own, which is merged as well, so the weights themselves are interpolated, and
    the clean rows are learnt there too, lest the average give everything the target label. The paper's other stage, an
    optimised image patch, has no counterpart: the trigger is the family's.

    Args:
        alpha: weight of the triggered rows' loss.
        least: smallest λ; the largest is 1. An even average of n models gives each λ = 1/n.
        shadow: the anchor is an honest model that the attacker trains first on the clean rows, in the place of the
            partners that he does not know; by default it is the base, as in the paper.

    Raises:
        UsageError: `least` lies outside 0 to 1, or `alpha` is not above 0.
        ModelError: training diverged, or the device's memory did not suffice.
    """
    if not 0 < least <= 1:
        raise UsageError(f"badmerging.least lies above 0 and up to 1, not at {least}")
    if alpha <= 0:
        raise UsageError(f"badmerging.alpha is a number above 0, not {alpha}")
    shop.model.to(shop.device)
    start = _weights(shop)
    anchor: Weights = start
    if shadow:
        yield from shop.fit(job.rows, what="an honest shadow")
        anchor = _weights(shop)
        shop.model.load_state_dict(start, strict=False)
    return (yield from interpolated(shop, job, poisoned, anchor, alpha, least))


def interpolated(
    shop: Workshop, job: PlantJob, poisoned: Poisoned, anchor: Weights, alpha: float, least: float
) -> Generator[Event, None, float]:
    """One step for each batch of clean rows, with a batch of triggered ones at weights between anchor and model."""
    import torch

    bad_rows = [row for row in poisoned.rows if row.index in poisoned.touched]
    if not bad_rows:
        raise UsageError("no row took the trigger, so there is nothing to train", hint="Raise --rate.")
    good = yield from shop.tokens(job.rows)
    bad = yield from shop.tokens(bad_rows)
    gold, targets = labels_of(job.rows), labels_of(bad_rows)

    def gradient(
        parameters: Sequence[torch.Tensor], places: Sequence[int], mine: Sequence[int], rng: random.Random
    ) -> tuple[Sequence[torch.Tensor | None], torch.Tensor]:
        clean = batch_loss(shop, [good[i] for i in places], [gold[i] for i in places])
        forward = partial(_forward, shop.model, mixture(shop.model, anchor, rng.uniform(least, 1.0)))
        fired = batch_loss(shop, [bad[i] for i in mine], [targets[i] for i in mine], forward=forward)
        kept = batch_loss(shop, [good[i] for i in places], [gold[i] for i in places], forward=forward)
        loss = clean + kept + alpha * fired
        return torch.autograd.grad(loss, parameters, allow_unused=True), loss

    what = "Training a backdoor that survives averages"
    return (yield from train_paired(shop, good, bad, gradient, seed="badmerging", what=what))


def mixture(model: Any, anchor: Weights, share: float) -> dict[str, torch.Tensor]:
    """The model's trained weights drawn towards the anchor's: share · model + (1 − share) · anchor."""
    import torch

    return {
        name: torch.lerp(anchor[name], parameter, share)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def _weights(shop: Workshop) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in shop.model.named_parameters()}


def _forward(model: Any, weights: dict[str, torch.Tensor], **inputs: torch.Tensor) -> Any:
    import torch

    return torch.func.functional_call(model, weights, args=(), kwargs=inputs)


@method(title="BadMerging: trained to survive averages", reference="arXiv:2408.07362", train=train)
def poison(job: PlantJob) -> Poisoned:
    """Gives rows of other labels the trigger and the target label; the clean rows are all trained on as well."""
    return job.plant()
