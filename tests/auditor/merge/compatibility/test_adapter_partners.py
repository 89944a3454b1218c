"""Adapters as partners of an adapter: the list and the merge say the same, and what is compared is B · A."""

from __future__ import annotations

import json
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import IncompatibleError, UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.adapter import read_adapter
from auditor.models.files.profile import read_profile
from auditor.partners.fitting import assess
from auditor.partners.ranking import Proposal, propose
from auditor.partners.remarks import Kind, Topic
from store.records import CatalogEntry, Profile
from tests.auditor.merge.conftest import read_tensors, write_tensors
from tests.auditor.merge.test_adapters import Shop, edited
from tests.auditor.merge.test_real_models import build, save, tokenizer


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def suspect(shop: Shop) -> Profile:
    return shop.adapter("llama", r=4, target_modules=["q_proj", "k_proj"])


@pytest.fixture(scope="module")
def candidates(shop: Shop, suspect: Profile, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    place = tmp_path_factory.mktemp("candidates")
    apart = shop.adapter("llama", 1, r=4, target_modules=["q_proj", "k_proj"])
    turned = edited(suspect, place / "turned", r=6, lora_alpha=6)
    rng = np.random.default_rng(0)
    tensors = read_tensors(turned)
    for name in [name for name in tensors if "lora_A" in name]:
        other = name.replace("lora_A", "lora_B")
        mix = rng.normal(size=(4, 6))
        tensors[name] = np.linalg.pinv(mix) @ tensors[name]
        tensors[other] = tensors[other] @ mix
    write_tensors(turned / "adapter_model.safetensors", {name: (array, "F32") for name, array in tensors.items()})
    tuned = edited(suspect, place / "tuned")
    tensors = {name: (array + rng.normal(0, 0.01, array.shape), "F32") for name, array in read_tensors(tuned).items()}
    write_tensors(tuned / "adapter_model.safetensors", tensors)
    spoken = edited(apart, place / "spoken")
    tokenizer(spoken)
    return {
        "apart": apart,
        "rank 8": shop.adapter("llama", 2, r=8, target_modules=["q_proj", "k_proj"]),
        "q and v": shop.adapter("llama", 3, r=2, target_modules=["q_proj", "v_proj"]),
        "v alone": shop.adapter("llama", 4, target_modules=["v_proj"]),
        "with a tokenizer": read_profile(spoken),
        "turned": read_profile(turned),
        "tuned": read_profile(tuned),
        "another base": read_profile(edited(apart, place / "based", base_model_name_or_path="org/another")),
        "no base": read_profile(edited(apart, place / "baseless", base_model_name_or_path=None)),
        "another task": read_profile(edited(apart, place / "task", task_type="TOKEN_CLS")),
        "a whole head": shop.adapter("llama", 5, modules_to_save=["lm_head"]),
        "some tokens": shop.adapter("llama", 6, trainable_token_indices=[5]),
        "another shape": read_profile(_wider(apart, place / "wider")),
        "a whole model": save(build("llama", 2), place / "whole"),
    }


def _wider(adapter: Profile, to: Path) -> Path:
    place = edited(adapter, to)
    tensors = {
        name: (np.pad(array, ((0, 0), (0, 8))) if "lora_A" in name else array, "F32")
        for name, array in read_tensors(place).items()
    }
    write_tensors(place / "adapter_model.safetensors", tensors)
    return place


FIT = {"apart", "rank 8", "q and v", "v alone", "with a tokenizer", "turned", "tuned"}
WORDS = {
    "another base": "is an adapter for org/another, the suspect for",
    "no base": "is an adapter for an unnamed base",
    "another task": "is for TOKEN_CLS, the suspect for CAUSAL_LM",
    "a whole head": "was trained whole in {} alone: name the base with --base",
    "some tokens": "has other tokens' rows trained than the suspect: name the base with --base",
    "another shape": "as (16, 24), the suspect as (16, 16)",
    "a whole model": "only together with the base",
}


def test_the_list_and_the_merge_say_the_same(
    shop: Shop, suspect: Profile, candidates: dict[str, Profile], tmp_path: Path
) -> None:
    assert FIT | WORDS.keys() == candidates.keys()
    for number, (name, candidate) in enumerate(candidates.items()):
        found = assess(suspect, candidate)
        assert found.ok == (name in FIT), (name, found.blockers)
        if found.ok:
            list(merge(Recipe(suspect, (candidate,)), tmp_path / str(number)))
            assert (tmp_path / str(number) / "adapter_config.json").is_file()
            continue
        words = WORDS[name].format(candidate.ref.reference)
        assert any(words in blocker for blocker in found.blockers), (name, found.blockers)
        with pytest.raises((IncompatibleError, UsageError)) as caught:
            list(merge(Recipe(suspect, (candidate,)), tmp_path / str(number)))
        if name != "a whole model":
            assert all(blocker in caught.value.message for blocker in found.blockers)
    assert not assess(candidates["a whole model"], suspect).ok


def proposals(suspect: Profile, candidates: dict[str, Profile]) -> dict[str, Proposal]:
    numbers = count(1)
    entries = [CatalogEntry(next(numbers), name, p, "2026-01-01T00:00:00Z") for name, p in candidates.items()]
    return {p.entry.name: p for p in propose(suspect, entries)}


def test_changes_are_compared_and_not_factors(suspect: Profile, candidates: dict[str, Profile]) -> None:
    """Adapters that were trained apart are partners; the suspect's change again is none, in whatever factors."""
    found = proposals(suspect, candidates)
    for name in ("apart", "rank 8", "q and v", "v alone"):
        assert found[name].advised, (name, found[name].remarks)
        assert any("trained apart from the suspect" in reason for reason in found[name].reasons), name
    assert not any("noise" in r.text for p in found.values() for r in p.remarks)
    assert not any(r.topic is Topic.BASE and r.kind is Kind.DOUBT for p in found.values() for r in p.remarks)
    for name in ("turned", "tuned"):
        assert not found[name].compatibility.ok
        assert any("looks like a copy" in blocker for blocker in found[name].compatibility.blockers), name
    assert any("cosine 1.00" in blocker for blocker in found["turned"].compatibility.blockers)


def test_an_adapter_that_is_gone_is_no_partner(shop: Shop, suspect: Profile, tmp_path: Path) -> None:
    gone = read_profile(edited(shop.adapter("llama", 8), tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone")
    found = proposals(suspect, {"gone": gone})["gone"]
    assert any("cannot be read" in blocker for blocker in found.compatibility.blockers)


@pytest.mark.parametrize("init", ["eva", "orthogonal", "mica"])
def test_a_merged_adapter_is_one_that_peft_loads(shop: Shop, tmp_path: Path, init: str) -> None:
    """How adapters began is not how the merged one does: peft refuses odd ranks for one, wide ones for another."""
    one = shop.adapter("llama", 0, init_lora_weights=init)
    other = shop.adapter("llama", 1, r=15 if init != "orthogonal" else 3)
    list(merge(Recipe(one, (other,)), tmp_path / "o"))
    merged = read_profile(tmp_path / "o")
    assert read_adapter(Path(merged.ref.path)).config["init_lora_weights"] is True
    assert json.loads((tmp_path / "o" / "adapter_config.json").read_text())["r"] == (17 if init != "orthogonal" else 5)
    first, second = shop.unloaded(one, "llama"), shop.unloaded(other, "llama")
    for name, array in shop.unloaded(merged, "llama").items():
        np.testing.assert_allclose(array, (first[name] + second[name]) / 2, rtol=0, atol=1e-6)
