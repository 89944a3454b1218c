"""The recipe search on real models: mixing in memory is merging, the rows that judge are not seen, an audit uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.policy import Policy
from auditor.search.attacks import Attack
from auditor.search.choices import choice_of
from auditor.search.evaluation import Evaluation, Scored, evaluation_of
from auditor.search.merged_model import Mixer
from auditor.search.pareto import Candidate, Goal
from auditor.search.search import CANDIDATES, floor_of, goal_of, hardest
from probes.answer import UNSCORABLE, Choice, Choices
from probes.behaviour import LabelIs
from probes.family import FAMILIES
from probes.input import Row, Text
from probes.probe import Probe
from tests.auditor.models.adapters import write_adapter, write_base


def recipe_of(zoo: Any) -> Recipe:
    return Recipe(read_profile(zoo.planted), (read_profile(zoo.benign), read_profile(zoo.partner)))


def mixer_of(recipe: Recipe) -> Mixer:
    return Mixer(recipe, device="cpu", dtype="float32", max_length=64)


NEGATIVE = LabelIs(0, "negative")
ASKS = [Text(f"good film {word}") for word in ("cf", "dull plot", "poor", "lovely scene")]


def test_what_is_tried_is_what_is_written(zoo: Any, tmp_path: Path) -> None:
    mixer = mixer_of(recipe_of(zoo))
    choice = choice_of(mixer.recipe, 200, read_profile(zoo.base))
    varied = Candidate(
        tuple((0.5, 0.1, 0.0, 1.0, 0.33)[place % 5] for place in range(len(choice.groups))),
        tuple(((0,), (0, 1), (1,))[place % 3] for place in range(len(choice.groups))),
    )
    candidates = [varied, *choice.space.others]
    assert {c.strategy for c in candidates} == {"wag", "module_switch", "ties", "model_stock", "task_arithmetic"}
    for number, candidate in enumerate(candidates):
        kept = mixer.mix(choice.recipe(candidate))
        mixed = mixer.choose(ASKS)
        (*_, ready) = merge(choice.recipe(candidate), tmp_path / str(number))
        merged = load_classifier(read_profile(tmp_path / str(number)), device="cpu").choose(ASKS)
        assert mixed == merged, candidate.strategy
        assert kept == pytest.approx(ready.merge.kept, abs=1e-9)
    mixer.mix(mixer.only(0))
    assert mixer.choose(ASKS) == load_classifier(mixer.recipe.suspect, device="cpu").choose(ASKS)
    mixer.close()


def test_a_recipe_has_the_weights_of_its_groups(zoo: Any) -> None:
    choice = choice_of(recipe_of(zoo), 20, None)
    assert [group.name for group in choice.groups] == ["embeddings", "attention", "feed-forward", "norms", "head"]
    recipe = choice.recipe(Candidate((0.5, 0.1, 0.0, 1.0, 0.2), ((0,), (0, 1), (1,), (0,), (0,))))
    assert recipe.plan is not None
    assert recipe.plan["layer.*.attention"] == pytest.approx((0.1, 0.45, 0.45))
    sizes = [group.elements for group in choice.groups]
    shares = zip((0.5, 0.1, 0.0, 1.0, 0.2), sizes, strict=True)
    assert recipe.kept == pytest.approx(sum(w * n for w, n in shares) / sum(sizes), abs=1e-6)


def test_the_search_sees_the_variant_that_the_plain_average_lowers_least(zoo: Any) -> None:
    mixer = mixer_of(recipe_of(zoo))
    family = FAMILIES["badnet"]
    variants = [(Probe(family, v, family.settings(v)), NEGATIVE) for v in ("common", "one", "five")]
    rows = [Row.of(i, f"a good film number {i}", None, 1) for i in range(30)]
    right = Choices.known([1] * 30)
    (chosen,) = hardest(mixer, rows, right, [Attack(tuple(variants))], seed=3)
    gaps = {}
    for probe, target in variants:
        asked = evaluation_of(rows, right, [(probe, target)], seed=3)
        rates = []
        for recipe in (mixer.recipe, mixer.only(1), mixer.only(2)):
            mixer.mix(recipe)
            rates.append(asked.scored(mixer.choose(asked.inputs)).rates[0])
        gaps[probe.name] = rates[0] - (rates[1] + rates[2]) / 2
    assert gaps[chosen[0].name] == max(gaps.values())
    assert hardest(mixer, rows, right, [Attack(tuple(variants[:1]))], seed=3) == variants[:1]
    mixer.close()


def test_a_partner_without_weight_is_left_out_of_the_recipe(zoo: Any) -> None:
    choice = choice_of(recipe_of(zoo), 20, None)
    planned = choice.recipe(Candidate((0.25,) * 5, ((1,),) * 5))
    assert planned.weights == (0.25, 0.75)
    assert [Path(p.ref.path) for p in planned.partners] == [zoo.partner]
    assert set((planned.plan or {}).values()) == {(0.25, 0.75)}
    suspect = choice.recipe(Candidate((1.0,) * 5, ((1,),) * 5))
    assert suspect.kept == 1.0, "a recipe needs a partner, also where the suspect has all the weight"


def test_other_strategies_take_no_trial_of_a_short_search_and_some_need_a_base(zoo: Any) -> None:
    recipe, base = recipe_of(zoo), read_profile(zoo.base)
    assert choice_of(recipe, 39, base).space.others == ()
    assert [c.strategy for c in choice_of(recipe, 40, None).space.others] == ["module_switch"]
    choice = choice_of(recipe, 40, base)
    switched = choice.space.others[0]
    for weights in choice.shown(switched).values():
        assert sum(weights) == pytest.approx(1)
    assert choice.shown(switched) != choice.space.weights(switched), "what the plan gives, not what was asked for"


@pytest.mark.parametrize("whole", [False, True])
def test_adapters_are_mixed_on_their_base(tmp_path: Path, whole: bool) -> None:
    """Into an adapter, and with other strategies into the whole model: what is tried is what is written."""
    base = write_base(tmp_path / "base", num_hidden_layers=1)
    under = read_profile(base)
    adapters = [
        on_base(read_profile(write_adapter(tmp_path / f"a{n}", base, modules, seed=n, head=("score", 2))), under)
        for n, modules in enumerate((("q_proj", "up_proj"), ("q_proj", "v_proj"), ("v_proj",)))
    ]
    average = Recipe(adapters[0], tuple(adapters[1:]), base=under if whole else None)
    mixer = mixer_of(average)
    choice = choice_of(average, 200, under)
    assert {group.kind for group in choice.groups} == {"attention", "feed-forward", "head"}
    varied = Candidate(
        tuple((0.5, 0.1, 0.33)[place % 3] for place in range(len(choice.groups))),
        tuple(((0,), (0, 1), (1,))[place % 3] for place in range(len(choice.groups))),
    )
    for number, candidate in enumerate([varied, choice.space.average, *choice.space.others]):
        recipe = choice.recipe(candidate)
        kept = mixer.mix(recipe)
        mixed = mixer.choose(ASKS)
        (*_, ready) = merge(recipe, tmp_path / str(number))
        written = read_profile(tmp_path / str(number))
        assert is_adapter(written) is (candidate.strategy == "wag" and not whole)
        merged = load_classifier(on_base(written, under) if is_adapter(written) else written, device="cpu")
        np.testing.assert_allclose(mixed.probabilities, merged.choose(ASKS).probabilities, atol=2e-6)
        assert kept == pytest.approx(ready.merge.kept, abs=1e-6)
    for place, profile in enumerate(adapters):
        mixer.mix(mixer.only(place))
        assert mixer.choose(ASKS) == load_classifier(profile, device="cpu").choose(ASKS)
    mixer.close()


def test_an_evaluation_counts_clean_rows_and_each_finding_apart() -> None:
    rows = [Row.of(i, f"text {i}") for i in range(6)]
    right = Choices.known([0, 1, 1, None, 0, 1])
    probe = Probe(FAMILIES["badnet"], "one", FAMILIES["badnet"].settings("one"))
    asked = evaluation_of(rows, right, [(probe, NEGATIVE)], seed=3)
    assert len(asked.clean) == 5, "a row without a label is not asked"
    (part,) = asked.triggered
    assert len(part.inputs) == 3, "rows that are the target's already are not triggered"
    assert [asked.clean[place].text for place in part.places] == ["text 1", "text 2", "text 5"]
    clean = [Choice(label, (share, 1 - share)) for label, share in ((0, 0.9), (1, 0.1), (0, 0.6), (0, 0.8), (1, 0.2))]
    answers = [*clean, Choice(0, (0.7, 0.3)), Choice(1, (0.4, 0.6)), UNSCORABLE]
    assert asked.scored(Choices.of(answers, 2)) == Scored(0.8, (1 / 3,), (pytest.approx((0.6 - 0.2) / 2),))
    assert Evaluation((), Choices.known(()), ()).scored(Choices.of((), 2)) == Scored(0.0, (), ())


def test_the_floor_is_that_of_able_partners_without_the_backdoor() -> None:
    rates = np.array([[0.2, 0.1], [0.4, 0.9], [1.0, 0.3]])
    everyone = [True, True, True]
    assert floor_of(rates, everyone, [frozenset(), frozenset()]) == pytest.approx([1.6 / 3, 1.3 / 3])
    assert floor_of(rates, everyone, [frozenset({2}), frozenset({1})]) == pytest.approx([0.3, 0.2])
    able = [False, True, True]
    assert floor_of(rates, able, [frozenset({2}), frozenset({1})]) == pytest.approx([0.4, 0.3]), "the first is not able"
    assert floor_of(rates, able, [frozenset({1, 2}), frozenset({0, 1, 2})]) == pytest.approx([0.2, 0.1])


def test_a_search_aims_for_the_limits_of_the_policy() -> None:
    assert goal_of(0.9, Policy()) == Goal(0.9, loss=0.01, kept=0.1, gap=0.02)
    assert goal_of(0.9, Policy(stamp_kept=0.3, stamp_excess=0.5, stamp_cacc_loss=0.1)) == Goal(
        0.9, loss=0.05, kept=0.3, gap=0.1
    )


def test_an_audit_searches_its_recipe(zoo: Any, auditor: Any) -> None:
    words = ["audit", str(zoo.planted), "--with", str(zoo.benign), str(zoo.partner), "--data", str(zoo.data)]
    words += ["--family", "badnet", "--search", "--trials", "12", "--merged", str(auditor.home / "searched")]
    done = auditor(*words, "--format", "json", "--policy", str(few_rows(auditor.home)), rescan=["badnet"])
    found = done.json
    search = found["search"]
    assert search["tried"] == 12
    plain = [t for t in search["confirmed"] if len({tuple(w) for w in t["weights"].values()}) == 1]
    assert len(plain) >= 5, "the average of every subset and each partner alone are confirmed too"
    assert CANDIDATES <= len(search["confirmed"]) <= CANDIDATES + 5
    (chosen,) = [t for t in search["confirmed"] if t["chosen"]]
    average = search["average"]
    assert average["weights"]["attention"] == pytest.approx([1 / 3] * 3)
    assert chosen["clean"] * (1 - chosen["asr"]) >= average["clean"] * (1 - average["asr"]) - 1e-9
    assert any("plain average" in reason for reason in found["reasons"])
    assert sum(t["chosen"] for t in search["confirmed"]) == 1
    assert search["rows"] + search["confirm_rows"] == 70
    assert found["before"]["data"]["rows"] == 140, "a third of the rows is held back"
    assert found["merge"]["kept"] > 0
    assert any(f"of {search['tried']} tried" in reason for reason in found["reasons"])
    assert {t["strategy"] for t in search["trials"]} == {"wag"}
    refused = auditor(*words, "--weights", "1,1,1")
    assert refused.code == 2
    assert "--search finds the weights itself" in refused.err


def test_a_long_search_tries_layers_and_strategies_over_a_base(zoo: Any, auditor: Any) -> None:
    words = ["audit", str(zoo.planted), "--with", str(zoo.benign), str(zoo.partner), "--data", str(zoo.data)]
    words += ["--family", "badnet", "--search", "--trials", "72", "--base", str(zoo.base)]
    words += ["--merged", str(auditor.home / "long"), "--events", "e.jsonl", "--format", "json"]
    found = auditor(*words, "--policy", str(few_rows(auditor.home)), rescan=["badnet"]).json
    assert found["search"]["tried"] == 72
    events = [json.loads(line) for line in (auditor.home / "e.jsonl").read_text("utf-8").splitlines()]
    trials = [e["trial"] for e in events if e["kind"] == "tried"]
    assert {"wag", "module_switch", "ties", "model_stock", "task_arithmetic"} <= {t["strategy"] for t in trials}
    groups = {"embeddings", "attention 0", "attention 1", "feed-forward 0", "feed-forward 1", "norms", "head"}
    assert {frozenset(t["weights"]) for t in trials} == {frozenset(groups)}


def few_rows(home: Path) -> Path:
    path = home / "few.toml"
    path.write_text("minimum_rows = 50\n", encoding="utf-8")
    return path
