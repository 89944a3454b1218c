"""Which model each module of a merge is taken from: the rules and the search of module switching.

Source: Li et al., "Defending against Backdoor Attacks via Module Switching", arXiv:2504.05902, sections 4.2 and 4.3 and
appendix F. The five terms of the fitness, the halving along the residual stream and the search (tournament selection,
mutation, the least fit dropped) are the paper's. It names neighbouring modules by example only; `Rules` says which ones
are neighbours here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

READERS = ("attention.query", "attention.key", "attention.value", "attention.fused")
"""Modules that read the residual stream where a layer begins."""
WRITER = "attention.output"
"""The module that writes into it halfway."""
ORDER = (*READERS, "attention", WRITER, "feed-forward.in", "feed-forward.out", "other")
POPULATION = 64
CHILDREN = 64
ENTRANTS = 4
"""Assignments among which a tournament is held."""
MUTATIONS = 2
"""Modules of a child that get another model, on average."""

_PART = re.compile(r"layer\.(\d+)\.(.+)$")


def groups(modules: Sequence[str]) -> list[list[str]]:
    """The modules that are assigned, layer by layer, in the order in which they are computed."""
    layers: dict[int, list[str]] = {}
    for module in modules:
        found = _PART.match(module)
        if found and found[2] != "norms":
            layers.setdefault(int(found[1]), []).append(module)
    return [sorted(layers[number], key=lambda module: ORDER.index(_part(module))) for number in sorted(layers)]


def _part(module: str) -> str:
    return module.split(".", 2)[2]


class Rules:
    """How fit an assignment of models to modules is; penalties are negative, variety is a reward.

    Args:
        layers: the modules, as `groups` has them; an assignment has one model for each, in this order.
        models: how many there are.
        inside: weighs neighbours of one model within a layer: modules that follow each other in `ORDER`.
        following: weighs those between a layer's last module and the readers of the next layer.
        residual: weighs those between the writer of a layer and the readers of a later one; a pair counts half for
            every layer of distance.
        balance: weighs, summed over kinds of modules and models, how far a model's number of modules is from even.
        variety: weighs the number of layers that are composed in different ways.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[str]],
        models: int,
        *,
        inside: float = 1.0,
        following: float = 1.0,
        residual: float = 1.0,
        balance: float = 1.0,
        variety: float = 1.0,
    ) -> None:
        self.size, self.models = sum(map(len, layers)), models
        self._balance, self._variety = balance, variety
        places = np.cumsum([0, *map(len, layers)])
        self._spans = [slice(start, stop) for start, stop in pairwise(places.tolist())]
        self._parts = [[_part(module) for module in layer] for layer in layers]
        bonds = [*self._neighbours(inside, following), *self._residual(residual)]
        self._one, self._other = (np.array([bond[n] for bond in bonds], np.int64) for n in (0, 1))
        self._weights = np.array([bond[2] for bond in bonds], np.float64)
        parts = [part for layer in self._parts for part in layer]
        kinds = sorted(set(parts))
        self._kinds = np.array([kinds.index(part) for part in parts], np.int64)
        # A layer's composition as one number: the models are the digits, its modules' names a number before them.
        self._digits = np.zeros((self.size, len(layers)), np.int64)
        for number, span in enumerate(self._spans):
            self._digits[span, number] = models ** np.arange(span.stop - span.start)
        shapes = sorted({tuple(layer) for layer in self._parts})
        most = models ** max(map(len, layers), default=0)
        self._shapes = np.array([shapes.index(tuple(layer)) * most for layer in self._parts], np.int64)
        self._even = np.repeat(np.bincount(self._kinds, minlength=len(kinds)) / models, models)

    def _neighbours(self, inside: float, following: float) -> Iterator[tuple[int, int, float]]:
        for span in self._spans:
            yield from ((place, place + 1, inside) for place in range(span.start, span.stop - 1))
        for number, span in enumerate(self._spans[:-1]):
            yield from ((span.stop - 1, reader, following) for reader in self._readers(number + 1))

    def _residual(self, weight: float) -> Iterator[tuple[int, int, float]]:
        for layer, later in combinations(range(len(self._spans)), 2):
            if WRITER in self._parts[layer]:
                writer = self._spans[layer].start + self._parts[layer].index(WRITER)
                yield from ((writer, reader, weight * 0.5 ** (later - layer)) for reader in self._readers(later))

    def _readers(self, layer: int) -> list[int]:
        start, parts = self._spans[layer].start, self._parts[layer]
        return [start + n for n, part in enumerate(parts) if part in READERS] or [start]

    def fitness(self, genomes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How fit assignments are, one a row."""
        same = (genomes[:, self._one] == genomes[:, self._other]) @ self._weights
        bins = np.arange(len(genomes))[:, None] * len(self._even) + self._kinds * self.models + genomes
        counts = np.bincount(bins.ravel(), minlength=len(genomes) * len(self._even)).reshape(len(genomes), -1)
        uneven = np.abs(counts - self._even).sum(axis=1)
        composed = np.sort(genomes @ self._digits + self._shapes, axis=1)
        ways = 1 + np.count_nonzero(np.diff(composed, axis=1), axis=1)
        fit: npt.NDArray[np.float64] = self._variety * ways - same - self._balance * uneven
        return fit


def evolve(rules: Rules, start: Sequence[int], *, seed: int, generations: int) -> list[int]:
    """The fittest assignment of an evolutionary search that begins with `start` and random ones.

    In every generation the winners of tournaments have children, each changed in a few places; then the least fit are
    dropped. The search is the same for the same seed.
    """
    rng = np.random.default_rng([seed, rules.models, len(start)])
    mark = rng.integers(1 << 62, size=len(start))
    population = rng.integers(rules.models, size=(POPULATION, len(start)))
    population[0] = start
    scores = rules.fitness(population)
    for _ in range(generations):
        entrants = rng.integers(len(population), size=(CHILDREN, ENTRANTS))
        winners = np.take_along_axis(entrants, scores[entrants].argmax(axis=1)[:, None], axis=1)[:, 0]
        changed = rng.random((CHILDREN, len(start))) < MUTATIONS / len(start)
        children = np.where(changed, rng.integers(rules.models, size=changed.shape), population[winners])
        everyone = np.concatenate([population, children])
        fit = np.concatenate([scores, rules.fitness(children)])
        _, once = np.unique(everyone @ mark, return_index=True)
        best = once[np.argsort(-fit[once], kind="stable")[:POPULATION]]
        population, scores = everyone[best], fit[best]
    found: list[int] = population[scores.argmax()].tolist()
    return found
