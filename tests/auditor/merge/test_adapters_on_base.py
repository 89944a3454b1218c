"""Adapters that stand on a known base: their average is that of the full models, and the base may be a partner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import IncompatibleError, UsageError
from auditor.events import MergeReady
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify, verify_with
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import CLASSIFIER, LANGUAGE_MODEL, open_weights
from store.engine import open_catalog
from store.records import Profile
from tests.auditor.models.adapters import write_adapter, write_base

Weights = dict[str, np.ndarray]


def loaded(profile: Profile) -> Weights:
    head = CLASSIFIER if profile.labels else LANGUAGE_MODEL
    opened = open_weights(profile, head, device="cpu", dtype="float32")
    return {name: tensor.numpy() for name, tensor in opened.model.state_dict().items()}


def made(recipe: Recipe, output: Path) -> tuple[Profile, float]:
    (done,) = [event.merge for event in merge(recipe, output) if isinstance(event, MergeReady)]
    every = [*recipe.models, *([recipe.base] if recipe.base else [])]
    assert verify(output, sources={m.ref.digest: Path(m.ref.path) for m in every}) == []
    return read_profile(output), done.kept


def mean(models: list[Weights], weights: tuple[float, ...]) -> Weights:
    shares = np.asarray(weights) / sum(weights)
    return {name: sum(s * model[name] for s, model in zip(shares, models, strict=True)) for name in models[0]}


def same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return read_profile(write_base(tmp_path_factory.mktemp("bases") / "base"))


def adapters(base: Profile, place: Path, count: int = 3, **settings: Any) -> list[Profile]:
    modules = (("q_proj", "v_proj"), ("q_proj", "up_proj"), ("v_proj",))
    return [
        on_base(
            read_profile(
                write_adapter(place / f"a{n}", Path(base.ref.path), modules[n], seed=n, rank=2 + n, **settings)
            ),
            base,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("head", [None, ("score", 2)])
def test_the_average_of_adapters_is_that_of_the_full_models(base: Profile, tmp_path: Path, head: Any) -> None:
    one, *others = adapters(base, tmp_path, head=head)
    weights = (0.2, 0.5, 0.3)
    expected = mean([loaded(model) for model in (one, *others)], weights)
    merged, _ = made(Recipe(one, tuple(others), weights=weights), tmp_path / "adapter")
    assert is_adapter(merged)
    same(loaded(on_base(merged, base)), expected)
    whole, _ = made(Recipe(one, tuple(others), weights=weights, base=base), tmp_path / "whole")
    assert not is_adapter(whole)
    same(loaded(whole), expected)


@pytest.mark.parametrize("head", [None, ("score", 2)])
def test_with_its_base_an_adapter_is_scaled(base: Profile, tmp_path: Path, head: Any) -> None:
    """What the base has no part in, a new head, stays the adapter's."""
    (one,) = adapters(base, tmp_path, 1, head=head)
    full, under = loaded(one), loaded(base)
    expected = {name: 0.25 * full[name] + 0.75 * under[name] if name in under else full[name] for name in full}
    merged, kept = made(Recipe(one, (base,), weights=(1, 3)), tmp_path / "adapter")
    assert (is_adapter(merged), kept) == (True, 0.25)
    same(loaded(on_base(merged, base)), expected)
    whole, kept = made(Recipe(one, (base,), weights=(1, 3), base=base), tmp_path / "whole")
    assert 0.25 <= kept < 0.3, "the head stays whole"
    same(loaded(whole), expected)


def test_with_a_whole_model_of_the_architecture_the_whole_is_made(base: Profile, tmp_path: Path) -> None:
    (one,) = adapters(base, tmp_path, 1)
    other = read_profile(write_base(tmp_path / "other", seed=4))
    merged, _ = made(Recipe(one, (other,)), tmp_path / "whole")
    same(loaded(merged), mean([loaded(one), loaded(other)], (1, 1)))


@pytest.mark.parametrize("strategy", ["ties", "dare", "module_switch", "slerp", "task_arithmetic"])
def test_other_strategies_take_the_base_that_is_known(base: Profile, tmp_path: Path, strategy: str) -> None:
    one, other = adapters(base, tmp_path, 2)
    merged, _ = made(Recipe(one, (other,), strategy=strategy), tmp_path / "whole")
    assert not is_adapter(merged)
    touched = {"q_proj", "v_proj", "up_proj"}
    under = loaded(base)
    for name, array in loaded(merged).items():
        changed = bool((array != under[name]).any())
        assert changed <= bool(touched & set(name.split("."))), name


def test_modules_have_weights_of_their_own(base: Profile, tmp_path: Path) -> None:
    one, other = adapters(base, tmp_path, 2)
    plan = {"layer.0": (1.0, 0.0), "layer.*.attention": (0.0, 1.0)}
    recipe = Recipe(one, (other,), plan=plan, weights=(1, 1))
    merged, kept = made(recipe, tmp_path / "adapter")
    found, models = loaded(on_base(merged, base)), [loaded(one), loaded(other)]
    expected = mean(models, (1, 1))
    for name in expected:
        if ".0." in name:
            expected[name] = models[0][name]
        elif "self_attn" in name:
            expected[name] = models[1][name]
    same(found, expected)
    lengths = {n: float(((models[0][n] - models[1][n]) ** 2).sum()) for n in models[0]}
    even = sum(length for name, length in lengths.items() if ".1." in name and "up_proj" in name)
    first = sum(length for name, length in lengths.items() if ".0." in name) + even / 2
    assert kept == pytest.approx(first / sum(lengths.values()), rel=1e-4)


def test_adapters_of_two_bases_are_refused(base: Profile, tmp_path: Path) -> None:
    (one,) = adapters(base, tmp_path, 1)
    other = read_profile(write_base(tmp_path / "other", seed=4))
    (foreign,) = adapters(other, tmp_path / "foreign", 1)
    with pytest.raises(IncompatibleError, match="for two bases"):
        Recipe(one, (foreign,))


def test_what_is_whole_in_both_takes_the_whole_model(base: Profile, tmp_path: Path) -> None:
    import torch

    (one,) = adapters(base, tmp_path, 1, more={"base_model.model.model.norm.weight": torch.ones(16)})
    with pytest.raises(IncompatibleError, match=r"model.norm.weight whole, and so does its base"):
        list(merge(Recipe(one, (base,)), tmp_path / "o"))


def test_from_the_command_line(base: Profile, tmp_path: Path, auditor: Any) -> None:
    """With other adapters and with the base an adapter comes out, with --base the whole model; all can be verified."""
    one, other = (model.parts[0].ref.path for model in adapters(base, tmp_path, 2))
    for partner, more, adapter in (
        (other, (), True),
        (base.ref.path, (), True),
        (other, ("--base", base.ref.path), False),
    ):
        output = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        done = auditor("merge", one, "--with", partner, *more, "-o", output)
        assert done.code == 0, done.err
        assert (output / "adapter_config.json").is_file() is adapter
        manifest = json.loads((output / "auditor-merge.json").read_text())
        assert (manifest.get("stands_on") == base.ref.digest) is (partner == base.ref.path)
        with open_catalog(f"sqlite:///{auditor.home / 'catalog.db'}") as catalog:
            found = verify_with(output, catalog)
        assert (found.problems, found.recomputed) == ((), True)


def test_a_whole_model_that_is_not_the_base_needs_the_base(base: Profile, tmp_path: Path, auditor: Any) -> None:
    (one,) = adapters(base, tmp_path, 1, base_model_name_or_path=None)
    with pytest.raises(UsageError, match="takes its base"):
        Recipe(one.parts[0], (base,))
