"""Guided module substitution: the suspect with some of its modules replaced by a partner's.

Source: Tong et al., "Cut the Deadwood Out: Backdoor Purification via Guided Module Substitution", arXiv:2412.20476.
The search starts with every module of every layer replaced, and step by step gives the suspect back either one kind
of module in all layers or all modules of one layer, whichever scores best; it goes on over steps that score worse, and
ends after a number of them. The score weighs the fall of the trigger's response against the loss of utility.
`modules_replaced` names what is replaced, as the search (`guide`) finds it; the first partner's modules are taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auditor.errors import UsageError
from auditor.merge.numerics.vectors import mean
from auditor.merge.strategy import Array, Grain, strategy

ALPHA = 0.4
"""The share of utility in the score, as in the authors' code."""
PATIENCE = 5
"""Steps without a better score after which the search ends."""

_PART = re.compile(r"layer\.(\d+)\.(.+)$")


@dataclass(frozen=True, slots=True)
class Measure:
    """A model's utility (clean accuracy, or agreement) and its response to triggers (ASR); shares from 0 to 1."""

    utility: float
    response: float


Score = Callable[[Mapping[str, Sequence[float]]], Measure]
"""Measures the merge with these weights of modules: no front end is needed, and none is known here."""


@dataclass(frozen=True, slots=True)
class Guided:
    """What the search found: the modules to replace, the plan that does it, its measure and score, and the trials."""

    modules: tuple[str, ...]
    plan: Mapping[str, Sequence[float]]
    measure: Measure
    score: float
    trials: int


def guide(
    modules: Sequence[str],
    models: int,
    suspect: Measure,
    score: Score,
    *,
    alpha: float = ALPHA,
    patience: int = PATIENCE,
) -> Guided:
    """Searches the modules whose substitution trades utility for the trigger's response best.

    Args:
        modules: of the suspect.
        models: how many the recipe has; the first partner's modules are taken.
        suspect: the measure of the suspect as it is.
        score: measures a merge by its plan.
        alpha: the share of utility in the score (1 − alpha: of the trigger's response).
        patience: steps without a better score after which the search ends.
    """
    places = {m: part for m in modules if (part := _PART.match(m)) and part[2] != "norms"}
    if not places:
        raise UsageError("the model has no layers whose modules could be replaced")
    kinds = frozenset(part[2] for part in places.values())
    layers = frozenset(int(part[1]) for part in places.values())
    trials = 0

    def attempt(kinds: frozenset[str], layers: frozenset[int]) -> Guided:
        nonlocal trials
        trials += 1
        chosen = tuple(m for m, part in places.items() if part[2] in kinds and int(part[1]) in layers)
        made = substitution(chosen, models)
        measure = score(made) if chosen else suspect
        return Guided(chosen, made, measure, value(measure, suspect, alpha), trials)

    best = attempt(kinds, layers)
    worse = 0
    while (len(kinds) > 1 or len(layers) > 1) and worse < patience:
        steps = [(kinds - {kind}, layers) for kind in sorted(kinds) if len(kinds) > 1]
        steps += [(kinds, layers - {layer}) for layer in sorted(layers) if len(layers) > 1]
        tried = [(attempt(*step), step) for step in steps]
        found, (kinds, layers) = max(tried, key=lambda pair: pair[0].score)
        if found.score > best.score:
            best, worse = found, 0
        else:
            worse += 1
    return Guided(best.modules, best.plan, best.measure, best.score, trials)


def value(measure: Measure, suspect: Measure, alpha: float) -> float:
    """(1 − alpha) · relative fall of the response + alpha · (1 − relative loss of utility)."""
    fall = (suspect.response - measure.response) / suspect.response if suspect.response > 0 else 0.0
    loss = (suspect.utility - measure.utility) / suspect.utility if suspect.utility > 0 else 0.0
    return (1 - alpha) * fall + alpha * (1 - loss)


def substitution(modules: Sequence[str], models: int) -> Mapping[str, Sequence[float]]:
    """The plan that takes these modules from the first partner, and all else from the suspect."""
    partner = tuple(1.0 if n == 1 else 0.0 for n in range(models))
    suspect = tuple(1.0 if n == 0 else 0.0 for n in range(models))
    return {**dict.fromkeys(modules, partner), "*": suspect}


def plan(
    modules: Sequence[str], models: int, *, seed: int, modules_replaced: tuple[str, ...] = ()
) -> Mapping[str, Sequence[float]]:
    """The substitution that the options name; `modules_replaced` takes names and patterns."""
    if not modules_replaced:
        raise UsageError(
            "guided_substitution replaces the modules that a search found, and none is named",
            hint="Name them: --set guided_substitution.modules_replaced='layer.*.feed-forward|layer.3.attention'",
        )
    return substitution(modules_replaced, models)


@strategy(title="Guided module substitution", reference="arXiv:2412.20476", grain=Grain.ELEMENT, planner=plan)
def blend(arrays: Sequence[Array], *, shares: Sequence[float]) -> Array:
    """The suspect's module or the partner's (a mean, where a plan of one's own gives other weights)."""
    return mean(arrays, shares)
