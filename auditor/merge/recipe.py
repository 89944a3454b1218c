"""A recipe: which models, which strategy, which weights, which seed. What it says is checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.errors import IncompatibleError, UsageError
from auditor.merge.strategy import PLACES, STRATEGIES, Strategy
from auditor.merge.tensors.modules import check_patterns, module_of, modules_of, weights_of
from auditor.models.files.adapter import bare, is_adapter
from auditor.models.files.gguf.profile import is_gguf
from store.records import Profile


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one model for a strategy: a safetensors file, its SHA-256, the kind, and of which texts."""

    path: str
    digest: str
    kind: str
    model_digest: str
    texts_digest: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is merged with its partners.

    `weights` has the suspect's first and need not sum to 1; None means even. `options` are the strategy's, as text or
    as values. `base` is the model that all were made from, for strategies that work on task vectors and for adapters.
    `plan` maps modules (names or patterns of `auditor.merge.tensors.modules`, the first that fits decides) to weights
    of their own, one a model; what it does not name has `weights`. `statistics` has one measurement a model, the
    suspect's first, for strategies that want them. `labels` are those of partners that were taken for labels of the
    suspect, as the user stated; the partners' profiles have the suspect's names.

    Raises:
        UsageError: no partner, an unknown strategy or option, weights that do not fit, a base missing or unused.
        IncompatibleError: a partner is the suspect itself, or is given twice; or a model is a GGUF file.
    """

    suspect: Profile
    partners: tuple[Profile, ...]
    strategy: str = "wag"
    weights: tuple[float, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    base: Profile | None = None
    plan: Mapping[str, tuple[float, ...]] | None = None
    statistics: tuple[Measured, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    _planned: Mapping[str, tuple[float, ...]] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        # An adapter is merged as such; its base is what the recipe says, or nothing.
        object.__setattr__(self, "suspect", bare(self.suspect))
        object.__setattr__(self, "partners", tuple(bare(partner) for partner in self.partners))
        for model in self.models:
            if is_gguf(model):
                raise IncompatibleError(
                    f"{model.ref.reference} is a GGUF file: its weights are judged, and not merged",
                    hint="Merge the safetensors that it was converted from, and convert what comes out.",
                )
        if not self.partners:
            raise UsageError("a merge needs at least one partner", hint="Name one with --with.")
        self._check_distinct()
        plugin = self.plugin
        settings = plugin.settings(self.options)
        if plugin.pair and len(self.partners) != 1:
            raise UsageError(
                f"strategy {self.strategy} merges two models, not {len(self.models)}",
                hint="Name one partner, or choose another strategy.",
            )
        self._check_base(plugin)
        if self.weights is not None:
            self._check_weights(self.weights, "")
        plugin.keep(self.coefficients, settings)
        # A planner may search for a while: it is asked once.
        object.__setattr__(self, "_planned", self._plan(plugin, settings))
        plan = self.module_plan
        if plan is not None:
            check_patterns(plan, modules_of(t.name for t in self.suspect.tensors))
            for pattern, weights in plan.items():
                self._check_weights(weights, f" of module {pattern}")
        self._check_statistics(plugin)

    def _check_base(self, plugin: Strategy) -> None:
        adapters = [model.ref.reference for model in self.models if is_adapter(model)]
        if self.base is not None and is_adapter(self.base):
            raise UsageError(f"{self.base.ref.reference} is an adapter, not a base model")
        if plugin.needs_base and self.base is None:
            raise UsageError(f"strategy {self.strategy} needs the base model", hint="Name it with --base.")
        if adapters and len(adapters) < len(self.models) and self.base is None:
            raise UsageError(
                f"{adapters[0]} is an adapter: to merge it with a whole model takes its base",
                hint="Name the base with --base.",
            )
        if self.base is not None and not plugin.needs_base and not adapters:
            raise UsageError(f"strategy {self.strategy} takes no base model", hint="Leave out --base.")

    def _check_distinct(self) -> None:
        # Where the digests are still to come, only the place can tell; the merge looks again when they are known.
        seen = {_identity(self.suspect): "the suspect itself"}
        for partner in self.partners:
            if same := seen.get(_identity(partner)):
                raise IncompatibleError(
                    f"partner {partner.ref.reference} has the same content as {same}",
                    hint="Name a model with other weights, or give more weight to one with --weights.",
                )
            seen[_identity(partner)] = f"partner {partner.ref.reference}"

    def _check_weights(self, weights: tuple[float, ...], where: str) -> None:
        wanted = 1 + len(self.partners)
        if len(weights) != wanted:
            raise UsageError(
                f"{len(weights)} weights{where} for {wanted} models",
                hint="Give one weight a model, the suspect's first: --weights 0.2,0.4,0.4",
            )
        for weight, model in zip(weights, self.models, strict=True):
            if not math.isfinite(weight) or weight < 0:
                raise UsageError(f"weight {weight} of {model.ref.reference}{where} is not a number of 0 or more")
        total = math.fsum(weights)
        if not 0 < total < math.inf:
            raise UsageError(f"the weights{where} sum to {total}", hint="At least one must be above 0.")

    def _check_statistics(self, plugin: Strategy) -> None:
        if plugin.statistics is None:
            if self.statistics:
                raise UsageError(f"strategy {self.strategy} takes no statistics")
            return
        if len(self.statistics) != len(self.models):
            raise UsageError(
                f"strategy {self.strategy} needs statistics of every model ({plugin.statistics})",
                hint="Give unlabelled texts to measure them on with --texts FILE.",
            )
        for measured, model in zip(self.statistics, self.models, strict=True):
            if measured.kind != plugin.statistics or measured.model_digest != model.ref.digest:
                raise UsageError(
                    f"the statistics {measured.path} are not the {plugin.statistics} of {model.ref.reference}"
                )

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
    def given(self) -> tuple[float, ...]:
        """The weights as given, the suspect's first."""
        return self.weights or (1.0,) * len(self.models)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The weights normalised to sum 1, the suspect's first."""
        return normalise(self.given)

    @property
    def module_plan(self) -> Mapping[str, tuple[float, ...]] | None:
        """The weights of modules: the recipe's own, else those that the strategy plans; None without either."""
        return self.plan if self.plan is not None else self._planned

    def _plan(self, plugin: Strategy, settings: Mapping[str, Any]) -> Mapping[str, tuple[float, ...]] | None:
        if self.plan is not None or plugin.planner is None:
            return None
        modules = modules_of(t.name for t in self.suspect.tensors)
        options = {key: settings[key] for key in plugin.planned}
        made = plugin.planner(modules, len(self.models), seed=self.seed, **options)
        return {pattern: tuple(weights) for pattern, weights in made.items()}

    @property
    def weighs(self) -> bool:
        """Whether parts of the suspect are kept in different measure, so that it matters how far each one moved."""
        return self.module_plan is not None or "tally" in self.plugin.supplied

    @property
    def kept(self) -> float:
        """How much of the suspect the merge keeps: the mean coefficient over its task vector, 0 to 1.

        With a plan, the mean over all elements: an estimate, as for strategies whose coefficients depend on the values.
        The merge states the true one.
        """
        plugin, settings, plan = self.plugin, self.settings, self.module_plan
        if plan is None:
            return round(plugin.keep(self.coefficients, settings), PLACES)
        total = kept = 0.0
        for tensor in self.suspect.tensors:
            count = math.prod(tensor.shape)
            weights = normalise(weights_of(module_of(tensor.name), plan, self.given))
            total += count
            kept += count * plugin.keep(weights, settings)
        return round(kept / total if total else plugin.keep(self.coefficients, settings), PLACES)


def _identity(profile: Profile) -> str:
    return profile.ref.digest or profile.ref.path


def normalise(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Weights scaled to sum 1; equal weights stay equal."""
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
