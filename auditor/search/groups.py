"""Groups of modules to which a recipe search gives one weight: a kind of module, or a kind in some of the layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from auditor.merge.compatibility.compatibility import FLOATS
from auditor.merge.recipe import Recipe, normalise
from auditor.merge.tensors.modules import matches, module_of, weights_of
from store.records import TensorInfo

PATTERNS: Mapping[str, str] = {
    "embeddings": "embeddings",
    "attention": "layer.*.attention",
    "feed-forward": "layer.*.feed-forward",
    "norms": "*norms",
    "head": "*",
}
"""Kinds of modules and the pattern by which a recipe's plan names each; the head takes the pooler and the rest."""
LAYERED = ("attention", "feed-forward")
"""Kinds that may have other weights in other layers."""
TRIALS_EACH = 8
"""Recipes that a search must be able to try for each group: with fewer, more groups are more noise than choice."""


@dataclass(frozen=True, slots=True)
class Group:
    """Modules with one weight: a kind of them, in all layers or some.

    `patterns` name them in a recipe's plan; `modules` are they, with their numbers of elements.
    """

    name: str
    kind: str
    patterns: tuple[str, ...]
    modules: tuple[tuple[str, int], ...]

    @property
    def elements(self) -> int:
        """The number of elements of all its modules."""
        return sum(count for _, count in self.modules)


def group_modules(tensors: Sequence[TensorInfo], trials: int) -> tuple[Group, ...]:
    """The model's modules in groups, as fine as the budget allows.

    Five kinds; attention and feed-forward by thirds of the layers; or layer by layer: the finest of the three that
    leaves eight trials for each group. A model of 6 layers has 5, 9 or 15 groups, so that it takes 72 trials for thirds
    and 120 for layers; one of 12 layers has up to 27 and takes 216.
    """
    sizes: dict[str, int] = {}
    for tensor in tensors:
        if tensor.dtype in FLOATS:
            module = module_of(tensor.name)
            sizes[module] = sizes.get(module, 0) + math.prod(tensor.shape)
    layers = sorted({_layer(module) for module in sizes if kind_of(module) in LAYERED})
    groups = _groups(sizes, [layers])
    for parts in (3, len(layers)):
        finer = _groups(sizes, _runs(layers, parts))
        if len(groups) < len(finer) <= trials / TRIALS_EACH:
            groups = finer
    return groups


def kind_of(module: str) -> str:
    """The kind of a module."""
    return next(kind for kind, pattern in PATTERNS.items() if matches(module, pattern))


def weights_by_group(recipe: Recipe, groups: Sequence[Group]) -> dict[str, tuple[float, ...]]:
    """By group, the mean weight of each of a recipe's models, by elements; the suspect's first."""
    plan = recipe.module_plan or {}
    found = {}
    for group in groups:
        shares = [(normalise(weights_of(module, plan, recipe.given)), count) for module, count in group.modules]
        found[group.name] = tuple(
            math.fsum(weights[model] * count for weights, count in shares) / group.elements
            for model in range(len(recipe.models))
        )
    return found


def _layer(module: str) -> int:
    return int(module.split(".")[1])


def _runs(layers: Sequence[int], parts: int) -> list[Sequence[int]]:
    """Neighbouring layers in so many runs of nearly the same length; none is empty."""
    parts = max(1, min(parts, len(layers)))
    cuts = [round(part * len(layers) / parts) for part in range(parts + 1)]
    return [layers[start:stop] for start, stop in pairwise(cuts)]


def _groups(sizes: Mapping[str, int], runs: Sequence[Sequence[int]]) -> tuple[Group, ...]:
    """One group for each kind that the model has, or for each run of layers of a kind that lies in layers."""
    groups = []
    for kind, pattern in PATTERNS.items():
        mine = {module: count for module, count in sizes.items() if kind_of(module) == kind}
        if kind not in LAYERED or len(runs) == 1:
            groups.append(Group(kind, kind, (pattern,), tuple(mine.items())))
            continue
        for run in runs:
            name = f"{kind} {run[0]}" if len(run) == 1 else f"{kind} {run[0]}-{run[-1]}"
            patterns = tuple(f"layer.{layer}.{kind}" for layer in run)
            held = {module: count for module, count in mine.items() if _layer(module) in run}
            groups.append(Group(name, kind, patterns, tuple(held.items())))
    return tuple(group for group in groups if group.modules)
