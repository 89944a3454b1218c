"""Merge strategies: one small file each in `auditor/merge/strategies`, registered by a decorator, named by the file.

A strategy is a function `blend(arrays, *, …)`. Keyword-only parameters *with* a default are its options (the command
line's `--set wag.option=value`, the policy file and the screens read the same signature); keyword-only parameters
*without* one are what the engine supplies by name, and a strategy asks for what it needs:

- `weights`: one coefficient an array, normalised to sum 1, the suspect's first;
- `shares`: the same weights as whole numbers where they have such a ratio (0.2, 0.4, 0.4 are 1, 2, 2), else as given;
- `base`: the base model's array (only with `needs_base=True`; a tensor that the base lacks is merged by weighted mean);
- `site`: which part of which tensor this is, and the recorded seed;
- `survey`: what the strategy's `survey` function found out about the whole tensor in a pass before;
- `statistics`: one array a model of what was measured for the strategy (only with `statistics=…`);
- `tally`: takes the suspect's coefficients, where they depend on the values.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from auditor.errors import UnknownName, UsageError
from probes.plugin import BadOption, Registry, coerce_options, keyword_options, plugin_doc, plugin_name

Array = Any
"""A NumPy array, or a torch tensor on a GPU: strategies use what both have (arithmetic operators, in place too)."""

Blend = Callable[..., Array]
Keep = Callable[[Sequence[float], Mapping[str, Any]], float]
Survey = Callable[..., Any]
Plan = Callable[..., Mapping[str, Sequence[float]]]

SUPPLIED = frozenset({"weights", "shares", "base", "site", "survey", "statistics", "tally"})
"""What the engine hands to a strategy that names it."""


class Grain(StrEnum):
    """What a strategy must see at once: any elements, whole rows (of the last axis), or the whole tensor."""

    ELEMENT = "element"
    ROW = "row"
    TENSOR = "tensor"


class View(Protocol):
    """A tensor of all models as a survey sees it, slice by slice, as often as it likes. Nothing may be overwritten."""

    @property
    def elements(self) -> int:
        """How many elements the tensor has."""
        ...

    def slices(self) -> Iterator[tuple[Sequence[Array], Array | None]]:
        """The flat NumPy arrays of all models, and the base's, one part after the other."""
        ...

    def sample(self, elements: int) -> tuple[Sequence[Array], Array | None]:
        """About so many elements, spread evenly over the tensor; the same places of all models and the base."""
        ...


PLACES = 9
"""Decimal places of a share that is kept: sums of binary fractions are no more exact."""


class Tally:
    """The mean of the suspect's coefficient over its task vector, gathered slice by slice from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, int], tuple[float, int]] = {}
        self._lengths: dict[tuple[str, int], float] = {}

    def add(self, site: Site, total: float, count: int) -> None:
        """Adds `count` elements whose coefficients sum to `total`."""
        with self._lock:
            self._sums[site.tensor, site.start] = (float(total), count)

    def weigh(self, site: Site, length: float) -> None:
        """Adds the squared length of the task vector in this slice."""
        with self._lock:
            self._lengths[site.tensor, site.start] = float(length)

    def forget(self, tensors: Collection[str]) -> None:
        """Drops what was added of these tensors: they are made anew."""
        with self._lock:
            self._sums = {key: entry for key, entry in self._sums.items() if key[0] not in tensors}
            self._lengths = {key: length for key, length in self._lengths.items() if key[0] not in tensors}

    def mean(self, *, weighed: bool = False) -> float | None:
        """The mean so far; None where nothing was added. It does not depend on the order of the threads, and is given
        to nine places: a tenth of every tensor is 0.1 and never a hair less, which a limit of 0.1 would refuse.

        Args:
            weighed: each tensor counts by the squared length of its part of the task vector, not by its elements: an
                embedding table is half of a small model's elements and may have hardly moved in training, so that
                keeping it keeps little.
        """
        entries = [self._sums[key] for key in sorted(self._sums)]
        count = sum(n for _, n in entries)
        if not count:
            return None
        means = {total / n for total, n in entries if n}
        if len(means) == 1:
            found = means.pop()
        elif weighed and any(self._lengths.values()):
            found = self._mean_by_length()
        else:
            found = math.fsum(total for total, _ in entries) / count
        return round(found, PLACES)

    def _mean_by_length(self) -> float:
        """By the squared lengths of the tensors; one that was not weighed has as much an element as the others."""
        coefficients: dict[str, list[tuple[float, int]]] = {}
        lengths: dict[str, list[float]] = {}
        for key in sorted(self._sums):
            coefficients.setdefault(key[0], []).append(self._sums[key])
            if key in self._lengths:
                lengths.setdefault(key[0], []).append(self._lengths[key])
        counts = {name: sum(n for _, n in entries) for name, entries in coefficients.items()}
        each = math.fsum(map(math.fsum, lengths.values())) / sum(counts[name] for name in lengths)
        weights = {name: math.fsum(lengths[name]) if name in lengths else each * n for name, n in counts.items()}
        kept = (
            weights[name] * math.fsum(total for total, _ in entries) / counts[name]
            for name, entries in coefficients.items()
            if counts[name]
        )
        return math.fsum(kept) / math.fsum(weights.values())


@dataclass(frozen=True, slots=True)
class Site:
    """Where a slice lies: the tensor's name and shape, the slice's first element, and the recipe's seed.

    A strategy that draws at random draws from these alone, so that a recomputed tensor is the same byte for byte.
    """

    tensor: str
    shape: tuple[int, ...]
    start: int
    seed: int


def keep_weight(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """The suspect's normalised weight: the coefficient of its task vector in any weighted mean."""
    return weights[0]


@dataclass(frozen=True)
class Hands:
    """What the engine has at hand for one slice; a strategy gets the part that it names."""

    weights: Sequence[float]
    site: Site
    shares: Sequence[float] = ()
    base: Array | None = None
    survey: Any = None
    statistics: Sequence[Array] = ()
    tally: Tally | None = None


@dataclass(frozen=True)
class Strategy:
    """A way to merge matching tensors.

    `grain` says what must be blended at once. `keep` computes the coefficient of the suspect's task vector from the
    normalised weights and the options; a strategy whose coefficients depend on the values tallies them as well.
    `survey` looks at a whole tensor before its slices are blended. `statistics` names what is measured of each model
    beforehand. `planner` makes the weights of each module. `pair` says that exactly two models are merged.
    """

    name: str
    title: str
    reference: str
    blend_with: Blend
    needs_base: bool
    grain: Grain
    keep: Keep
    doc: str = ""
    survey: Survey | None = None
    statistics: str | None = None
    planner: Plan | None = None
    pair: bool = False

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Option names and their defaults, read off the signatures of the blend and of the planner."""
        return {**keyword_options(self.blend_with), **keyword_options(self.planner)}

    @cached_property
    def planned(self) -> frozenset[str]:
        """The options that the planner takes."""
        return frozenset(keyword_options(self.planner))

    @cached_property
    def supplied(self) -> frozenset[str]:
        """What the engine has to hand over."""
        return _asked(self.blend_with)

    def settings(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The full option values.

        Raises:
            UsageError: an option is not known, its value has another type, or a share is not between 0 and 1.
        """
        try:
            given = coerce_options(self.name, overrides, self.options)
        except BadOption as error:
            raise UsageError(str(error)) from None
        for key, value in given.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"{self.name}.{key} takes a finite number, not {(overrides or {})[key]!r}")
        return {**self.options, **given}

    def blend(self, arrays: Sequence[Array], hands: Hands, options: Mapping[str, Any]) -> Array:
        """The blended array, in the arrays' dtype. The arrays are scratch: they may be overwritten and one returned."""
        own = keyword_options(self.blend_with)
        named = {name: getattr(hands, name) for name in self.supplied}
        return self.blend_with(arrays, **named, **{key: options[key] for key in own})

    def look(self, view: View, options: Mapping[str, Any]) -> Any:
        """What the strategy's survey finds out about a tensor; None without a survey."""
        if self.survey is None:
            return None
        return self.survey(view, **{key: options[key] for key in _asked(self.survey)})


def _asked(function: Callable[..., Any]) -> frozenset[str]:
    parameters = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is inspect.Parameter.empty)


def strategy(
    *,
    title: str,
    reference: str,
    needs_base: bool = False,
    grain: Grain = Grain.TENSOR,
    keep: Keep = keep_weight,
    survey: Survey | None = None,
    statistics: str | None = None,
    planner: Plan | None = None,
    pair: bool = False,
) -> Callable[[Blend], Strategy]:
    """Makes a merge strategy of a function `blend(arrays, *, weights, option=default, …) -> array`.

    A survey is a function `survey(view, *, option, …)` over the options of the blend.

    Raises:
        TypeError: the function asks the engine for something that there is not, or for a base without `needs_base`.
    """

    def make(blend: Blend) -> Strategy:
        name, doc = plugin_name(blend), plugin_doc(blend, title)
        made = Strategy(
            name, title, reference, blend, needs_base, grain, keep, doc, survey, statistics, planner, pair
        )  # fmt: skip
        if unknown := made.supplied - SUPPLIED:
            raise TypeError(f"{name}: the engine does not supply {', '.join(sorted(unknown))}; give it a default")
        if ("base" in made.supplied) is not needs_base:
            raise TypeError(f"{name}: needs_base={needs_base}, but its signature says otherwise")
        return made

    return make


STRATEGIES: Mapping[str, Strategy] = Registry("auditor.merge.strategies", Strategy, "merge strategy", UnknownName)
