"""A recipe: which models, which strategy, which weights, which seed. What it says is checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.errors import IncompatibleError, UsageError
from auditor.merge.strategy import STRATEGIES, Strategy
from store.records import Profile


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is merged with its partners.

    `weights` has the suspect's first and need not sum to 1; None means even. `options` are the strategy's, as text or
    as values. `base` is the model that all were made from, for strategies that work on task vectors.

    Raises:
        UsageError: no partner, an unknown strategy or option, weights that do not fit, a base missing or unused.
        IncompatibleError: a partner is the suspect itself, or is given twice.
    """

    suspect: Profile
    partners: tuple[Profile, ...]
    strategy: str = "wag"
    weights: tuple[float, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    base: Profile | None = None

    def __post_init__(self) -> None:
        if not self.partners:
            raise UsageError("a merge needs at least one partner", hint="name one with --with")
        self._check_distinct()
        plugin = self.plugin
        plugin.settings(self.options)
        if plugin.needs_base and self.base is None:
            raise UsageError(f"strategy {self.strategy} needs the base model", hint="name it with --base")
        if self.base is not None and not plugin.needs_base:
            raise UsageError(f"strategy {self.strategy} takes no base model", hint="leave --base away")
        self._check_weights()

    def _check_distinct(self) -> None:
        seen = {self.suspect.ref.digest: "the suspect itself"}
        for partner in self.partners:
            if same := seen.get(partner.ref.digest):
                raise IncompatibleError(
                    f"partner {partner.ref.reference} has the same content as {same}",
                    hint="name a model with other weights, or give more weight to one with --weights",
                )
            seen[partner.ref.digest] = f"partner {partner.ref.reference}"

    def _check_weights(self) -> None:
        if self.weights is None:
            return
        wanted = 1 + len(self.partners)
        if len(self.weights) != wanted:
            raise UsageError(
                f"{len(self.weights)} weights for {wanted} models",
                hint="give one weight a model, the suspect's first: --weights 0.2,0.4,0.4",
            )
        for weight, model in zip(self.weights, self.models, strict=True):
            if not math.isfinite(weight) or weight < 0:
                raise UsageError(f"weight {weight} of {model.ref.reference} is not a number of 0 or more")
        total = math.fsum(self.weights)
        if not 0 < total < math.inf:
            raise UsageError(f"the weights sum to {total}", hint="at least one must be above 0")

    @property
    def models(self) -> tuple[Profile, ...]:
        """The suspect, then the partners."""
        return (self.suspect, *self.partners)

    @property
    def plugin(self) -> Strategy:
        """The strategy."""
        return STRATEGIES[self.strategy]

    @property
    def settings(self) -> dict[str, Any]:
        """The strategy's full option values."""
        return self.plugin.settings(self.options)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The weights normalised to sum 1, the suspect's first."""
        return normalise(self.weights or (1.0,) * len(self.models))

    @property
    def kept(self) -> float:
        """How much of the suspect the merge keeps: the mean coefficient over its task vector, 0 to 1."""
        return self.plugin.keep(self.coefficients, self.settings)


def normalise(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Weights scaled to sum 1; equal weights stay equal."""
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
