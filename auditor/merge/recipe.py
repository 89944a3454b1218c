"""A recipe: which models, which strategy, which weights, which seed. What it says is checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.errors import IncompatibleError, UsageError
from auditor.merge.strategy import PLACES, STRATEGIES, Strategy
from auditor.merge.tensors.modules import check_patterns, module_of, modules_of, weights_of
from auditor.models.files.adapter import bare, is_adapter, read_adapter
from auditor.models.files.gguf.profile import is_gguf
from store.records import Profile, TensorInfo

WAG = "wag"
"""The strategy that merges adapters into an adapter."""


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
    suspect's first, for strategies that want them. `stands_on` is the base that adapters are known to be for: it is
    taken as `base` where what is asked takes one, and may be a partner of theirs without one; it is found from profiles
    of adapters on their base, which are then merged as adapters. `labels` are those of partners that were taken for
    labels of the suspect, as the user stated; the partners' profiles have the suspect's names.

    Raises:
        UsageError: no partner, an unknown strategy or option, weights that do not fit, a base missing or unused.
        IncompatibleError: a partner is the suspect itself, or is given twice; a model is a GGUF file; or adapters are
            for two bases.
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
    stands_on: Profile | None = None
    _planned: Mapping[str, tuple[float, ...]] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        self._take_apart()
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
            check_patterns(plan, modules_of(t.name for t in self.tensors))
            for pattern, weights in plan.items():
                self._check_weights(weights, f" of module {pattern}")
        self._check_statistics(plugin)

    def _take_apart(self) -> None:
        """Adapters on their base become adapters, and the base what they stand on."""
        bases = [model.parts[1] for model in self.models if model.parts]
        under = self.stands_on or next(iter(bases), None)
        for base in bases:
            if under is not None and _identity(base) != _identity(under):
                raise IncompatibleError(
                    f"the adapters are for two bases: {under.ref.reference} and {base.ref.reference}",
                    hint="Merge each into its base first, or leave out those of another base.",
                )
        object.__setattr__(self, "suspect", bare(self.suspect))
        object.__setattr__(self, "partners", tuple(bare(partner) for partner in self.partners))
        object.__setattr__(self, "stands_on", under)
        alike = is_adapter(self.suspect) and all(is_adapter(p) or self.is_under(p) for p in self.partners)
        if self.base is None and under is not None and not (alike and self.strategy == WAG):
            object.__setattr__(self, "base", under)

    def is_under(self, model: Profile) -> bool:
        """Whether a model is the base that the adapters stand on."""
        under = self.stands_on
        return under is not None and (model.ref.path == under.ref.path or _identity(model) == _identity(under))

    def is_base(self, model: Profile) -> bool:
        """Whether a model is the base that is given."""
        base = self.base
        return base is not None and (model.ref.path == base.ref.path or _identity(model) == _identity(base))

    @property
    def makes_adapter(self) -> bool:
        """Whether the result is an adapter: adapters are merged, and their base at most, and into nothing else."""
        return (
            self.base is None
            and is_adapter(self.suspect)
            and all(is_adapter(partner) or self.is_under(partner) for partner in self.partners)
        )

    @property
    def tensors(self) -> tuple[TensorInfo, ...]:
        """What is merged: the suspect's tensors; where it is an adapter, those of the base that any adapter changes.

        Raises:
            ModelError: an adapter's files are damaged or gone.
        """
        if not is_adapter(self.suspect):
            return self.suspect.tensors
        found: dict[str, TensorInfo] = {}
        for model in self.models:
            if is_adapter(model):
                adapter = read_adapter(Path(model.ref.path))
                shapes: dict[str, tuple[int, ...]] = {key: low.shape for key, low in adapter.factors.items()}
                shapes |= {key: stored.info.shape for key, stored in adapter.saved.items()}
                shapes |= {key: rows.stored.info.shape for key, rows in adapter.tokens.items()}
                found |= {key: TensorInfo(key, shape, "F32") for key, shape in sorted(shapes.items())}
        return tuple(found.values())

    def _check_base(self, plugin: Strategy) -> None:
        adapters = [model.ref.reference for model in self.models if is_adapter(model)]
        if self.base is not None and is_adapter(self.base):
            raise UsageError(f"{self.base.ref.reference} is an adapter, not a base model")
        if plugin.needs_base and self.base is None:
            raise UsageError(f"strategy {self.strategy} needs the base model", hint="Name it with --base.")
        if adapters and len(adapters) < len(self.models) and self.base is None and not self.makes_adapter:
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
        modules = modules_of(t.name for t in self.tensors)
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
        for tensor in self.tensors:
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
