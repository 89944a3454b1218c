"""Models of one architecture held in memory, mixed with a weight for each kind of module, and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.errors import ModelError, UsageError
from auditor.merge.layout import TensorPlan, lay_out
from auditor.merge.modules import matches, module_of
from auditor.merge.recipe import Recipe
from auditor.models.classifier import Classifier
from auditor.models.loader import load_classifier, read_weights
from probes.case import Ask, Outcome
from store.records import Profile

if TYPE_CHECKING:
    import torch


PATTERNS = {
    "embeddings": "embeddings",
    "attention": "layer.*.attention",
    "feed-forward": "layer.*.feed-forward",
    "norms": "*norms",
    "head": "*",
}
"""Kinds of modules and the pattern by which a recipe's plan names each; the head takes the pooler and the rest."""


def kind_of(tensor: str) -> str:
    """The kind of module that a tensor belongs to."""
    module = module_of(tensor)
    return next(kind for kind, pattern in PATTERNS.items() if matches(module, pattern))


class Mixer:
    """The suspect and its partners on one device; `mix` puts a weighted mean of them into the classifier.

    Args:
        recipe: any recipe over the models: its layout says what is reconciled and how.
        device: `cpu`, `cuda:0`, …; `dtype` of the classifier. The mean is made in fp32.
        max_length: tokens after which an input is cut.
    """

    def __init__(self, recipe: Recipe, *, device: str, dtype: str, max_length: int) -> None:
        self.partners: tuple[Profile, ...] = recipe.partners
        self._plans = [plan for plan in lay_out(recipe).tensors if not plan.copied]
        if any(plan.first or any(source.low for source in plan.sources) for plan in self._plans):
            raise UsageError(
                "adapters, and models whose vocabularies differ in size, cannot be mixed in memory",
                hint="leave --search away, and give --strategy and --weights",
            )
        self._target: Classifier = load_classifier(recipe.suspect, device=device, dtype=dtype, max_length=max_length)
        self._models = [read_weights(profile) for profile in recipe.models]
        self._parameters = self._target.parameters()
        if missing := [plan.name for plan in self._plans if plan.name not in self._parameters]:
            raise ModelError(f"tensor {missing[0]} of {recipe.suspect.ref.reference} cannot be mixed in memory")

    @property
    def modules(self) -> dict[str, int]:
        """Kinds of modules with their numbers of elements."""
        sizes: dict[str, int] = {}
        for plan in self._plans:
            kind = kind_of(plan.name)
            sizes[kind] = sizes.get(kind, 0) + plan.elements
        return sizes

    def only(self, model: int) -> dict[str, tuple[float, ...]]:
        """The weights that give one model back: 0 is the suspect."""
        unit = tuple(float(i == model) for i in range(1 + len(self.partners)))
        return dict.fromkeys(self.modules, unit)

    def mix(self, weights: Mapping[str, Sequence[float]]) -> None:
        """Puts the weighted mean into the classifier.

        Args:
            weights: by kind of module, one weight a model, the suspect's first. Where a model lacks a tensor, the
                others' weights are scaled up.
        """
        import torch

        with torch.no_grad():
            for plan in self._plans:
                self._parameters[plan.name].copy_(self._mean(plan, weights[kind_of(plan.name)]))

    def _mean(self, plan: TensorPlan, weights: Sequence[float]) -> torch.Tensor:
        total = sum(weights[source.owner] for source in plan.sources)
        if total == 0:
            return self._models[0][plan.name]
        mean: torch.Tensor | None = None
        for source in plan.sources:
            share = weights[source.owner] / total
            if share == 0:
                continue
            tensor = self._models[source.owner][plan.name].float()
            if source.rows is not None:
                tensor = tensor[list(source.rows)]
            mean = tensor * share if mean is None else mean.add_(tensor, alpha=share)
        if mean is None:
            raise ModelError(f"tensor {plan.name} has no source")
        return mean

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """One outcome an ask."""
        return self._target.answer(asks)

    def close(self) -> None:
        """Frees the memory."""
        self._models.clear()
        self._parameters = {}
        self._target.close()
