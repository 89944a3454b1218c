"""What a search may try, and the recipe that a candidate stands for: what is tried is what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.merge.recipe import Recipe
from auditor.merge.strategy import STRATEGIES
from auditor.search.groups import Group, group_modules, weights_by_group
from auditor.search.pareto import EVEN, WAG, Candidate, Space
from store.records import Profile

OTHERS_FROM = 40
"""Recipes from which on a search also tries other strategies: they take some of its trials."""
BASED: tuple[tuple[str, tuple[tuple[str, float], ...], float], ...] = (
    ("ties", (), EVEN[2]),
    ("ties", (), EVEN[4]),
    ("model_stock", (), EVEN[2]),
    ("task_arithmetic", (("scale", 0.8),), EVEN[2]),
)
"""Strategies over a base, with their options and the suspect's weight."""
SWITCH = "module_switch"
"""The strategy that needs no base. SLERP is none: tensors of models of one base are so nearly parallel that it is a
weighted mean.
"""


@dataclass(frozen=True)
class Choice:
    """What a search chooses from: the models of a weight average, groups of their modules, and a base or none."""

    average: Recipe
    groups: tuple[Group, ...]
    base: Profile | None
    space: Space

    def recipe(self, candidate: Candidate) -> Recipe:
        """The recipe that a candidate stands for; partners without a weight are left out."""
        weights = self.space.weights(candidate)
        if candidate.strategy == WAG:
            return with_weights(self.average, self.groups, weights)
        return self._whole(candidate, next(iter(weights.values())))

    def _whole(self, candidate: Candidate, weights: Sequence[float]) -> Recipe:
        used = [place for place, weight in enumerate(weights[1:]) if weight > 0]
        plugin = STRATEGIES[candidate.strategy]
        made = replace(
            self.average,
            partners=tuple(self.average.partners[place] for place in used),
            strategy=candidate.strategy,
            options=dict(candidate.options),
            weights=tuple(weights[place] for place in (0, *(1 + place for place in used))),
            base=self.base if plugin.needs_base else None,
        )
        # A plan is made once, and not again each time that it is looked at.
        return made if plugin.planner is None else replace(made, plan=made.module_plan)

    def shown(self, candidate: Candidate) -> dict[str, tuple[float, ...]]:
        """By group, one weight for each of the models, also of those that have no part."""
        weights = self.space.weights(candidate)
        if STRATEGIES[candidate.strategy].planner is None:
            return weights
        recipe = self.recipe(candidate)
        places = [self.average.partners.index(partner) for partner in recipe.partners]
        found = {}
        for name, shares in weights_by_group(recipe, self.groups).items():
            all_of_them = [shares[0], *[0.0] * len(self.average.partners)]
            for place, share in zip(places, shares[1:], strict=True):
                all_of_them[1 + place] = share
            found[name] = tuple(all_of_them)
        return found


def choice_of(average: Recipe, trials: int, base: Profile | None) -> Choice:
    """What a search of so many trials chooses from.

    Groups are as fine as the trials allow (see `group_modules`); from 40 trials on, module switching is tried as well
    and, where the base is known, TIES, Model Stock and shortened task arithmetic, each over the first three partners.

    Args:
        average: a weight average over all the models.
        base: the model that all were made from.
    """
    groups = group_modules(average.tensors, trials)
    partners = len(average.partners)
    space = Space({g.name: g.elements for g in groups}, partners, kinds={g.name: g.kind for g in groups})
    if trials >= OTHERS_FROM:
        widest = (tuple(range(min(partners, space.most_partners))),) * len(groups)
        even = 1 / (1 + len(widest[0]))
        others = [Candidate((even,) * len(groups), widest, SWITCH)]
        if base is not None:
            others += [Candidate((weight,) * len(groups), widest, name, options) for name, options, weight in BASED]
        space = replace(space, others=tuple(others))
    return Choice(average, groups, base, space)


def with_weights(recipe: Recipe, groups: Sequence[Group], weights: Mapping[str, tuple[float, ...]]) -> Recipe:
    """A recipe with weights for each group of modules; partners that have none are left out.

    The recipe's weights as a whole are the mean by elements.
    """
    used = [i for i in range(len(recipe.partners)) if any(w[1 + i] > 0 for w in weights.values())] or [0]
    places = (0, *(1 + i for i in used))
    total = sum(group.elements for group in groups)
    plan = {p: tuple(weights[g.name][i] for i in places) for g in groups for p in g.patterns}
    whole = tuple(sum(weights[g.name][i] * g.elements for g in groups) / total for i in places)
    return replace(recipe, partners=tuple(recipe.partners[i] for i in used), weights=whole, plan=plan)
