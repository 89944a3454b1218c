"""Module switching: every module is taken whole from one of the models, so that no shortcut stays in one piece.

Source: Li et al., "Defending against Backdoor Attacks via Module Switching", arXiv:2504.05902: an evolutionary search
assigns a model to every query, key, value, output and feed-forward module, by rules alone; neither data nor a model's
answers are needed for that. `auditor.merge.numerics.switching` says what is the paper's and what is this project's;
the weights of the rules, all 1 as in the paper, are options. The search runs for `search` generations (the paper's for
two million) and begins with the models in turn, which is all that `search` = 0 gives.

What the paper leaves open: embeddings, pooler, head and the norms outside the layers stay the suspect's, and a layer's
norms go with its last module. What is not done here: the paper tries every model in every role, and chooses among the
results by features of clean samples (section 4.4); here the first role is the suspect's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.merge.numerics.switching import Rules, evolve, groups
from auditor.merge.numerics.vectors import mean
from auditor.merge.strategy import Array, Grain, strategy


def plan(
    modules: Sequence[str],
    models: int,
    *,
    seed: int,
    search: int = 500,
    inside: float = 1.0,
    following: float = 1.0,
    residual: float = 1.0,
    balance: float = 1.0,
    variety: float = 1.0,
) -> Mapping[str, Sequence[float]]:
    """Weights of 1 and 0 for every module."""
    layers = groups(modules)
    turns = [(number + n) % models for number, layer in enumerate(layers) for n in range(len(layer))]
    if search and turns:
        rules = Rules(
            layers, models, inside=inside, following=following, residual=residual, balance=balance, variety=variety
        )
        turns = evolve(rules, turns, seed=seed, generations=search)
    taken = iter(turns)
    made: dict[str, Sequence[float]] = {}
    for layer in layers:
        made |= {module: _only(next(taken), models) for module in layer}
        norms = f"layer.{layer[0].split('.')[1]}.norms"
        if norms in modules:
            made[norms] = made[layer[-1]]
    return {module: made.get(module, _only(0, models)) for module in modules}


def _only(model: int, models: int) -> tuple[float, ...]:
    return tuple(1.0 if n == model else 0.0 for n in range(models))


@strategy(title="Module switching", reference="arXiv:2504.05902", grain=Grain.ELEMENT, planner=plan)
def blend(arrays: Sequence[Array], *, shares: Sequence[float]) -> Array:
    """The module of the model that it is taken from (a mean, where a plan of one's own gives other weights)."""
    return mean(arrays, shares)
