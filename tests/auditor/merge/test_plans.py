"""Weights of modules: named, planned by rule, searched with a score that is handed in."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.numerics.switching import Rules, groups
from auditor.merge.recipe import Recipe
from auditor.merge.strategies import guided_substitution, module_switch
from auditor.merge.strategies.guided_substitution import Measure, guide
from auditor.merge.tensors.modules import kind_of, matches, module_of, modules_of
from auditor.merge.verify import verify
from store.records import Profile
from tests.auditor.merge.conftest import Make, make_tensors, read_tensors

QUERY = "bert.encoder.layer.0.attention.self.query.weight"
DENSE = "bert.encoder.layer.1.output.dense.bias"


@pytest.mark.parametrize(
    ("tensor", "module", "kind"),
    [
        ("bert.embeddings.word_embeddings.weight", "embeddings", "embeddings"),
        ("bert.embeddings.LayerNorm.weight", "norms", "norms"),
        ("bert.encoder.layer.11.attention.self.query.bias", "layer.11.attention.query", "attention"),
        ("bert.encoder.layer.1.attention.output.dense.weight", "layer.1.attention.output", "attention"),
        ("bert.encoder.layer.1.attention.output.LayerNorm.bias", "layer.1.norms", "norms"),
        ("bert.encoder.layer.1.intermediate.dense.weight", "layer.1.feed-forward.in", "feed-forward"),
        ("bert.encoder.layer.1.output.dense.weight", "layer.1.feed-forward.out", "feed-forward"),
        ("bert.pooler.dense.weight", "pooler", "head"),
        ("classifier.out_proj.weight", "head", "head"),
        ("model.layers.3.self_attn.k_proj.weight", "layer.3.attention.key", "attention"),
        ("model.layers.3.self_attn.o_proj.weight", "layer.3.attention.output", "attention"),
        ("model.layers.3.mlp.gate_proj.weight", "layer.3.feed-forward.in", "feed-forward"),
        ("model.layers.3.mlp.down_proj.weight", "layer.3.feed-forward.out", "feed-forward"),
        ("model.layers.3.post_attention_layernorm.weight", "layer.3.norms", "norms"),
        ("model.norm.weight", "norms", "norms"),
        ("model.embed_tokens.weight", "embeddings", "embeddings"),
        ("lm_head.weight", "head", "head"),
        ("transformer.h.2.attn.c_attn.weight", "layer.2.attention.fused", "attention"),
        ("transformer.h.2.ln_1.weight", "layer.2.norms", "norms"),
        ("distilbert.transformer.layer.0.attention.q_lin.weight", "layer.0.attention.query", "attention"),
        ("distilbert.transformer.layer.0.ffn.lin2.weight", "layer.0.feed-forward.out", "feed-forward"),
        ("pre_classifier.weight", "head", "head"),
    ],
)
def test_tensors_belong_to_modules(tensor: str, module: str, kind: str) -> None:
    assert module_of(tensor) == module
    assert kind_of(tensor) == kind


def test_patterns_name_a_module_its_whole_or_its_kind() -> None:
    module = "layer.3.attention.query"
    assert all(matches(module, p) for p in ("*", "layer.3", "layer.*.attention", "attention", module))
    assert not any(matches(module, p) for p in ("layer.30", "layer.3.att", "feed-forward", "query"))
    assert matches("pooler", "head")
    assert not matches("head", "pooler")


def stored(profile: Profile) -> dict[str, np.ndarray]:
    return read_tensors(Path(profile.ref.path))


def test_a_plan_gives_modules_their_own_weights(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed) for seed, name in enumerate("ab")]
    plan = {"layer.0.attention": (0.0, 1.0), "attention": (3.0, 1.0), "head": (1.0, 0.0)}
    recipe = Recipe(models[0], (models[1],), plan=plan)
    done = list(merge(recipe, tmp_path / "out"))[-1].merge
    a, b, merged = stored(models[0]), stored(models[1]), read_tensors(tmp_path / "out")
    shares = {QUERY: 0.0, QUERY.replace("0", "1"): 0.75, DENSE: 0.5, "classifier.weight": 1.0, "classifier.bias": 1.0}
    for name in a:
        share = shares.get(name, 0.5)
        np.testing.assert_allclose(merged[name], share * a[name] + (1 - share) * b[name], atol=1e-7)
    moved = {name: float(((a[name] - b[name]).astype(np.float64) ** 2).sum()) for name in a}
    kept = sum(moved[name] * shares.get(name, 0.5) for name in a) / sum(moved.values())
    assert done.kept == pytest.approx(kept)
    elements = sum(math.prod(a[name].shape) * shares.get(name, 0.5) for name in a) / sum(x.size for x in a.values())
    assert recipe.kept == pytest.approx(elements), "an estimate, before anything is read"
    assert json.loads((tmp_path / "out" / "auditor-merge.json").read_text())["plan"] == [
        [module, list(weights)] for module, weights in plan.items()
    ]
    assert verify(tmp_path / "out", sources={m.ref.digest: Path(m.ref.path) for m in models}) == []


def test_plans_that_do_not_fit_are_refused(make: Make) -> None:
    models = [make(name, seed) for seed, name in enumerate("ab")]
    for plan, words in (
        ({"layer.7": (1, 1)}, "no module is named by 'layer.7'"),
        ({"attention": (1,)}, "1 weights of module attention for 2 models"),
        ({"attention": (1, -1)}, "-1 of b of module attention"),
        ({"attention": (0, 0)}, "of module attention sum to 0"),
    ):
        with pytest.raises(UsageError, match=words):
            Recipe(models[0], (models[1],), plan=plan)


MODULES = modules_of(
    f"bert.encoder.layer.{n}.{part}"
    for n in range(4)
    for part in (
        "attention.self.query.weight", "attention.self.key.weight", "attention.self.value.weight",
        "attention.output.dense.weight", "intermediate.dense.weight", "output.dense.weight", "output.LayerNorm.weight",
    )
)  # fmt: skip

LAYERS = groups(MODULES)


def genome_of(plan: Mapping[str, Sequence[float]]) -> list[int]:
    return [list(plan[m]).index(1.0) for layer in LAYERS for m in layer]


def fitness(rules: Rules, *layers: str) -> float:
    """Of an assignment written as digits, a layer's in the order query, key, value, output, in, out."""
    return float(rules.fitness(np.array([[int(digit) for layer in layers for digit in layer]]))[0])


def test_modules_are_assigned_in_the_order_in_which_they_are_computed() -> None:
    parts = ("query", "key", "value", "output")
    assert LAYERS[0] == [
        *(f"layer.0.attention.{p}" for p in parts),
        "layer.0.feed-forward.in",
        "layer.0.feed-forward.out",
    ]
    assert groups(("embeddings", "layer.0.other", "layer.0.attention.fused", "layer.0.norms")) == [
        ["layer.0.attention.fused", "layer.0.other"]
    ]


def test_the_fitness_of_an_assignment_is_that_of_its_five_rules() -> None:
    none = dict.fromkeys(("inside", "following", "residual", "balance", "variety"), 0.0)

    def only(rule: str, layers: int, *genome: str) -> float:
        return fitness(Rules(LAYERS[:layers], 2, **none | {rule: 1.0}), *genome)

    # Neighbours in a layer: query-key, key-value, value-output, output-in, in-out.
    assert only("inside", 1, "000000") == -5
    assert only("inside", 1, "001011") == -2
    # The last module with the next layer's query, key and value.
    assert only("following", 3, "000001", "110000", "000111") == -2 - 3
    # A layer's output with the readers after it: three in the next layer count half, two in the one after a quarter.
    assert only("residual", 3, "111011", "000111", "001000") == -3 * 0.5 - 2 * 0.25 - 1 * 0.5
    # Two layers and two models: each kind of module should be taken once from each.
    assert only("balance", 2, "000000", "111111") == 0
    assert only("balance", 2, "000000", "000000") == -6 * (1 + 1)
    assert only("balance", 2, "000001", "000001") == -6 * (1 + 1)
    assert only("variety", 3, "010101", "010101", "101010") == 2
    genome = ("000000", "111111")
    assert fitness(Rules(LAYERS[:2], 2), *genome) == -10 - 0 - 0 - 0 + 2
    halved = Rules(LAYERS[:2], 2, inside=0.5, variety=3.0)
    assert fitness(halved, *genome) == -5 + 6


def test_module_switching_keeps_to_its_rules() -> None:
    for models in (2, 3):
        plan = module_switch.plan(MODULES, models, seed=0)
        assert plan == module_switch.plan(MODULES, models, seed=0)
        assert plan.keys() == set(MODULES)
        assert all(sorted(weights) == [0.0] * (models - 1) + [1.0] for weights in plan.values())
        rules = Rules(LAYERS, models)
        turns = genome_of(module_switch.plan(MODULES, models, seed=0, search=0))
        found, taken, one = rules.fitness(np.array([genome_of(plan), turns, [0] * len(turns)]))
        assert found > taken > one
        assert plan["layer.2.norms"] == plan["layer.2.feed-forward.out"]


def test_the_search_finds_the_best_of_a_small_space() -> None:
    layers = [layer[:4] for layer in LAYERS[:3]]
    rules = Rules(layers, 2)
    every = np.array(list(itertools.product(range(2), repeat=12)))
    modules = [module for layer in layers for module in layer]
    plan = module_switch.plan(modules, 2, seed=1)
    found = np.array([[list(plan[m]).index(1.0) for m in modules]])
    assert rules.fitness(found)[0] == rules.fitness(every).max()


def test_module_switching_takes_each_module_whole_from_one_model(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed) for seed, name in enumerate("abc")]
    recipe = Recipe(models[0], tuple(models[1:]), strategy="module_switch", seed=3)
    done = list(merge(recipe, tmp_path / "out"))[-1].merge
    tables, merged = [stored(model) for model in models], read_tensors(tmp_path / "out")
    taken = {}
    for name, array in merged.items():
        (taken[name],) = [n for n, table in enumerate(tables) if np.array_equal(table[name], array)]
    assert set(taken.values()) == {0, 1, 2}
    assert taken["classifier.weight"] == taken["bert.embeddings.word_embeddings.weight"] == 0
    others = {name: np.mean([table[name] for table in tables[1:]], axis=0) for name in merged}
    moved = {name: float(((tables[0][name] - others[name]).astype(np.float64) ** 2).sum()) for name in merged}
    own = sum(moved[name] for name, model in taken.items() if model == 0)
    assert done.kept == pytest.approx(own / sum(moved.values()))


def test_what_hardly_moved_counts_for_little_in_what_is_kept(make: Make, tmp_path: Path) -> None:
    """Embeddings are most of a small model; a recipe that keeps nothing else keeps next to nothing of the suspect."""
    own, other = make_tensors(0), make_tensors(1)
    near = {name: (own[name][0] + 1e-4 if "embeddings" in name else other[name][0], "F32") for name in own}
    models = make("a", tensors=own), make("b", tensors=near)
    recipe = Recipe(models[0], (models[1],), plan={"embeddings": (1.0, 0.0), "*": (0.0, 1.0)})
    assert recipe.kept > 0.25
    assert list(merge(recipe, tmp_path / "out"))[-1].merge.kept < 0.001


def test_the_guided_search_finds_the_modules_that_carry_the_trigger() -> None:
    """The trigger lives in layer 2's feed-forward; every replaced module costs a little utility."""
    tried = []

    def score(plan: Mapping[str, Sequence[float]]) -> Measure:
        replaced = [m for m in MODULES if m in plan]
        tried.append(len(replaced))
        cured = {"layer.2.feed-forward.in", "layer.2.feed-forward.out"} <= set(replaced)
        return Measure(0.9 - 0.01 * len(replaced), 0.05 if cured else 1.0)

    found = guide(MODULES, 2, Measure(0.9, 1.0), score)
    assert set(found.modules) == {"layer.2.feed-forward.in", "layer.2.feed-forward.out"}
    assert tried[0] == 24
    assert found.trials == len(tried)
    assert found.measure.response == 0.05
    assert found.score == pytest.approx(0.6 * 0.95 + 0.4 * (0.88 / 0.9))
    assert found.plan["*"] == (1.0, 0.0)


def test_guided_substitution_replaces_what_is_named(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed) for seed, name in enumerate("ab")]
    with pytest.raises(UsageError, match="none is named"):
        Recipe(models[0], (models[1],), strategy="guided_substitution")
    options = {"modules_replaced": "layer.0.attention|layer.1.feed-forward"}
    list(merge(Recipe(models[0], (models[1],), strategy="guided_substitution", options=options), tmp_path / "out"))
    a, b, merged = stored(models[0]), stored(models[1]), read_tensors(tmp_path / "out")
    for name in a:
        assert np.array_equal(merged[name], (b if name in (QUERY, DENSE) else a)[name]), name
    assert guided_substitution.substitution(("x",), 3) == {"x": (0.0, 1.0, 0.0), "*": (1.0, 0.0, 0.0)}
