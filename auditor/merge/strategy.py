"""Merge strategies: one small file each in `auditor/merge/strategies`, registered by a decorator, named by the file.

A strategy is a function `blend(arrays, *, …)`. Keyword-only parameters *with* a default are its options (the command
line's `--set wag.option=value`, the policy file and the screens read the same signature); keyword-only parameters
*without* one are what the engine supplies by name, and a strategy asks for what it needs:

- `weights`: one coefficient an array, normalised to sum 1, the suspect's first;
- `base`: the base model's array, or None where the base lacks the tensor (only with `needs_base=True`);
- `site`: which part of which tensor this is, and the recorded seed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import auditor.merge.strategies
from auditor.errors import UsageError
from probes.family import BadOption, coerce_option, keyword_options

Array = Any
"""A NumPy array, or a torch tensor on a GPU: strategies use what both have (arithmetic operators, in place too)."""

Blend = Callable[..., Array]
Keep = Callable[[Sequence[float], Mapping[str, Any]], float]

SUPPLIED = frozenset({"weights", "base", "site"})
"""What the engine hands to a strategy that names it."""


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
class Strategy:
    """A way to merge matching tensors.

    `elementwise` says that any slice may be blended alone; else the engine passes whole tensors. `keep` computes the
    mean coefficient over the suspect's task vector from the normalised weights and the options.
    """

    name: str
    title: str
    reference: str
    blend_with: Blend
    needs_base: bool
    elementwise: bool
    keep: Keep
    doc: str = ""

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Option names and their defaults, read off the signature."""
        return keyword_options(self.blend_with)

    @cached_property
    def supplied(self) -> frozenset[str]:
        """What the engine has to hand over."""
        parameters = inspect.signature(self.blend_with).parameters.values()
        return frozenset(
            p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is inspect.Parameter.empty
        )

    def settings(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The full option values.

        Raises:
            UsageError: an option is not known, or its value has another type.
        """
        values = dict(self.options)
        for key, value in (overrides or {}).items():
            try:
                values[key] = coerce_option(self.name, key, value, self.options)
            except BadOption as error:
                raise UsageError(str(error)) from None
        return values

    def blend(
        self,
        arrays: Sequence[Array],
        *,
        weights: Sequence[float],
        base: Array | None,
        site: Site,
        options: Mapping[str, Any],
    ) -> Array:
        """The blended array, in the arrays' dtype. The arrays are scratch: they may be overwritten and one returned."""
        hands = {"weights": weights, "base": base, "site": site}
        return self.blend_with(arrays, **{name: hands[name] for name in self.supplied}, **options)


def strategy(
    *,
    title: str,
    reference: str,
    needs_base: bool = False,
    elementwise: bool = False,
    keep: Keep = keep_weight,
) -> Callable[[Blend], Strategy]:
    """Makes a merge strategy of a function `blend(arrays, *, weights, option=default, …) -> array`.

    Raises:
        TypeError: the function asks the engine for something that there is not, or for a base without `needs_base`.
    """

    def make(blend: Blend) -> Strategy:
        name = blend.__module__.rpartition(".")[2]
        doc = inspect.getdoc(blend) or inspect.getdoc(inspect.getmodule(blend)) or title
        made = Strategy(name, title, reference, blend, needs_base, elementwise, keep, doc)
        if unknown := made.supplied - SUPPLIED:
            raise TypeError(f"{name}: the engine does not supply {', '.join(sorted(unknown))}; give it a default")
        if ("base" in made.supplied) is not needs_base:
            raise TypeError(f"{name}: needs_base={needs_base}, but its signature says otherwise")
        return made

    return make


class UnknownStrategy(UsageError, KeyError):
    """A name that is no merge strategy; the message lists the known ones."""

    def __str__(self) -> str:
        return self.message


class Strategies(Mapping[str, Strategy]):
    """All strategies by name. Names are listed without importing; a module is imported when its strategy is read."""

    def names(self) -> list[str]:
        """The known names, sorted."""
        found = pkgutil.iter_modules(auditor.merge.strategies.__path__)
        return sorted(m.name for m in found if not m.name.startswith("_"))

    def __getitem__(self, name: str) -> Strategy:
        if name not in self.names():
            raise UnknownStrategy(f"unknown merge strategy {name!r}; known: {', '.join(self.names())}")
        module = importlib.import_module(f"auditor.merge.strategies.{name}")
        (found,) = [v for v in vars(module).values() if isinstance(v, Strategy) and v.name == name]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())


STRATEGIES: Mapping[str, Strategy] = Strategies()
