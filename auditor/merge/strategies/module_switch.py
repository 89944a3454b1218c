"""Module switching: every module is taken whole from one of the models, so that no shortcut stays in one piece.

Source: Li et al., "Defending against Backdoor Attacks via Module Switching", arXiv:2504.05902: an evolutionary search
optimises which model each module is taken from; neither data nor a model's answers are needed for that. The fitness
here is this project's own wording of that aim, not the paper's formula: modules next to each other in a layer, the same
module in layers that follow each other, and the end of a layer and the start of the next should come from different
models; the models should have equal parts; layers should be composed in different ways. The weights of these rules are
options. The paper's last step, choosing among several strategies on clean samples, is not done here.
`search` = 0 takes the models in turn instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from auditor.merge.strategy import Array, Grain, strategy
from auditor.merge.vectors import mean

Genome = tuple[int, ...]

_PART = re.compile(r"layer\.(\d+)\.(.+)$")
POPULATION = 32


def groups(modules: Sequence[str]) -> list[list[str]]:
    """The modules that are assigned, layer by layer; a layer's norms go with the module before them."""
    layers: dict[int, list[str]] = {}
    for module in modules:
        found = _PART.match(module)
        if found and found[2] != "norms":
            layers.setdefault(int(found[1]), []).append(module)
    return [layers[number] for number in sorted(layers)]


def fitness(
    genome: Genome, layers: Sequence[Sequence[str]], models: int, *, inside: float, following: float, residual: float,
    balance: float, variety: float,
) -> float:  # fmt: skip
    """How well an assignment keeps to the rules: penalties are negative, the layers' variety is a reward."""
    rows: list[dict[str, int]] = []
    at = 0
    for layer in layers:
        rows.append({module.split(".", 2)[2]: genome[at + n] for n, module in enumerate(layer)})
        at += len(layer)
    orders = [list(row.values()) for row in rows if row]
    adjacent = sum(one == next_ for order in orders for one, next_ in pairwise(order))
    same = sum(row[part] == after[part] for row, after in pairwise(rows) for part in row.keys() & after.keys())
    ends = sum(order[-1] == after[0] for order, after in pairwise(orders))
    counts = np.bincount(np.asarray(genome, dtype=np.int64), minlength=models)
    uneven = float(np.abs(counts - len(genome) / models).sum())
    kinds = len({tuple(sorted(row.items())) for row in rows})
    return -(inside * adjacent + following * same + residual * ends + balance * uneven) + variety * kinds


def plan(
    modules: Sequence[str],
    models: int,
    *,
    seed: int,
    search: int = 200,
    inside: float = 1.0,
    following: float = 1.0,
    residual: float = 0.5,
    balance: float = 1.0,
    variety: float = 0.5,
) -> Mapping[str, Sequence[float]]:
    """Weights of 1 and 0 for every module; embeddings, norms outside the layers, pooler and head stay the suspect's."""
    layers = groups(modules)
    count = sum(len(layer) for layer in layers)
    rules = {"inside": inside, "following": following, "residual": residual, "balance": balance, "variety": variety}
    genome: list[int] = []
    for number, layer in enumerate(layers):
        genome += [(number + n) % models for n in range(len(layer))]
    best = tuple(genome)
    if search and count:
        best = _evolve(best, layers, models, seed, search, rules)
    made: dict[str, Sequence[float]] = {}
    at = 0
    for layer in layers:
        for n, module in enumerate(layer):
            made[module] = _only(best[at + n], models)
        number_of = layer[0].split(".")[1]
        if f"layer.{number_of}.norms" in modules:
            made[f"layer.{number_of}.norms"] = made[layer[-1]]
        at += len(layer)
    for module in modules:
        made.setdefault(module, _only(0, models))
    return made


def _evolve(
    start: Genome, layers: Sequence[Sequence[str]], models: int, seed: int, rounds: int, rules: Mapping[str, float]
) -> Genome:
    """The fittest assignment of an evolutionary search: tournaments of two, one-point crossover, point mutations."""
    rng = np.random.default_rng([seed, models, len(start)])
    found = {start: fitness(start, layers, models, **rules)}
    population = [start]
    while len(population) < POPULATION:
        population.append(tuple(int(n) for n in rng.integers(models, size=len(start))))
    for genome in population:
        found.setdefault(genome, fitness(genome, layers, models, **rules))
    for _ in range(rounds):
        pairs = rng.integers(len(population), size=(2, 2))
        one, other = (max((population[a], population[b]), key=found.__getitem__) for a, b in pairs)
        cut = int(rng.integers(len(start) + 1))
        child = list(one[:cut] + other[cut:])
        for place in np.flatnonzero(rng.random(len(child)) < 2 / len(child)):
            child[place] = int(rng.integers(models))
        born = tuple(child)
        found.setdefault(born, fitness(born, layers, models, **rules))
        worst = min(range(len(population)), key=lambda n: found[population[n]])
        if found[born] > found[population[worst]] and born not in population:
            population[worst] = born
    return max(population, key=lambda genome: (found[genome], genome))


def _only(model: int, models: int) -> tuple[float, ...]:
    return tuple(1.0 if n == model else 0.0 for n in range(models))


@strategy(title="Module switching", reference="arXiv:2504.05902", grain=Grain.ELEMENT, planner=plan)
def blend(arrays: Sequence[Array], *, shares: Sequence[float]) -> Array:
    """The module of the model that it is taken from (a mean, where a plan of one's own gives other weights)."""
    return mean(arrays, shares)
