"""Merges in memory: byte for byte what the engine writes, and only what changes is made anew."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError
from auditor.merge.engine.engine import merge
from auditor.merge.engine.in_memory import Rehearsal
from auditor.merge.recipe import Recipe
from auditor.merge.tensors.modules import weights_of
from auditor.models.files.profile import read_profile
from auditor.search.groups import PATTERNS, group_modules, kind_of
from store.records import Profile, TensorInfo
from tests.auditor.merge.conftest import read_tensors


@dataclass
class Held:
    """A sink that keeps the bytes of every tensor."""

    tensors: dict[str, bytearray] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)

    def write(self, tensor: Any, start: int, raw: Any) -> None:
        self.given.add(tensor.name)
        kept = self.tensors.setdefault(tensor.name, bytearray())
        first = tensor.first * 4 + start - tensor.start
        kept.extend(bytes(max(0, first + len(raw) - len(kept))))
        kept[first : first + len(raw)] = raw.tobytes()


@pytest.fixture
def models(zoo: Any) -> list[Profile]:
    return [read_profile(path) for path in (zoo.planted, zoo.benign, zoo.partner)]


def written(recipe: Recipe, output: Path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    list(merge(recipe, output))
    return {name: tensor.tobytes() for name, tensor in load_file(output / "model.safetensors").items()}


def recipes(models: list[Profile], base: Profile) -> dict[str, Recipe]:
    suspect, *partners = models
    plan = {"embeddings": (0.5, 0.5, 0.0), "layer.1.attention": (0.1, 0.3, 0.6), "*": (0.2, 0.8, 0.0)}
    return {
        "plan": Recipe(suspect, tuple(partners), plan=plan),
        "even": Recipe(suspect, tuple(partners)),
        "one": Recipe(suspect, tuple(partners[1:]), weights=(0.33, 0.67)),
        "ties": Recipe(suspect, tuple(partners), "ties", base=base),
        "dare": Recipe(suspect, tuple(partners), "dare", base=base, seed=3),
        "slerp": Recipe(suspect, tuple(partners[:1]), "slerp", weights=(0.2, 0.8)),
        "plan again": Recipe(suspect, tuple(partners), plan=plan),
    }


def test_a_rehearsal_makes_what_the_engine_writes(models: list[Profile], zoo: Any, tmp_path: Path) -> None:
    sink = Held()
    rehearsal = Rehearsal(sink)
    for name, recipe in recipes(models, read_profile(zoo.base)).items():
        rehearsal.make(recipe)
        assert {key: bytes(value) for key, value in sink.tensors.items()} == written(recipe, tmp_path / name), name


def test_only_what_a_recipe_makes_otherwise_is_made_anew(models: list[Profile]) -> None:
    suspect, *partners = models
    sink = Held()
    rehearsal = Rehearsal(sink)
    rehearsal.make(Recipe(suspect, tuple(partners)))
    assert sink.given == {tensor.name for tensor in suspect.tensors}
    sink.given.clear()
    kept = rehearsal.make(Recipe(suspect, tuple(partners), plan={"layer.0.attention.query": (0.0, 1.0, 1.0)}))
    changed = {t.name for t in suspect.tensors if ".layer.0.attention.self.query." in t.name}
    assert sink.given == changed
    own, *others = (read_tensors(Path(model.ref.path)) for model in models)
    moved = {name: float(((own[name] - (others[0][name] + others[1][name]) / 2) ** 2).sum()) for name in own}
    share = sum(moved[name] for name in changed) / sum(moved.values())
    assert kept == pytest.approx((1 - share) / 3)


def test_a_file_that_was_changed_is_refused(models: list[Profile], zoo: Any, tmp_path: Path) -> None:
    copy = zoo.copy(zoo.benign, tmp_path / "copy")
    profile = read_profile(copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert hashlib.sha256(content).hexdigest() not in profile.files.values()
    with pytest.raises(ModelError, match="has changed since it was profiled"):
        Rehearsal(Held()).make(Recipe(models[0], (profile,)))


def bert(profile: Profile, layers: int) -> Profile:
    """The profile of a model of so many layers, in the tensors of another's first layer."""
    from dataclasses import replace

    tensors = [t for t in profile.tensors if ".layer." not in t.name]
    for layer in range(layers):
        for t in profile.tensors:
            if ".layer.0." in t.name:
                tensors.append(TensorInfo(t.name.replace(".layer.0.", f".layer.{layer}."), t.shape, t.dtype))
    return replace(profile, tensors=tuple(tensors))


@pytest.mark.parametrize(
    ("layers", "trials", "groups"),
    [(6, 71, 5), (6, 72, 9), (6, 119, 9), (6, 120, 15), (12, 120, 9), (12, 216, 27), (1, 999, 5), (0, 999, 3)],
)
def test_groups_are_as_fine_as_the_trials_allow(models: list[Profile], layers: int, trials: int, groups: int) -> None:
    profile = bert(models[0], layers)
    found = group_modules(profile.tensors, trials)
    assert len(found) == groups
    modules = [module for group in found for module, _ in group.modules]
    assert len(set(modules)) == len(modules)
    assert sum(group.elements for group in found) == sum(int(np.prod(t.shape)) for t in profile.tensors)
    plan = {pattern: (float(place),) for place, group in enumerate(found) for pattern in group.patterns}
    for place, group in enumerate(found):
        for module, _ in group.modules:
            assert kind_of(module) == group.kind
            assert weights_of(module, plan, (-1.0,)) == (float(place),), "the patterns name the group's modules"
    assert {group.kind for group in found} <= set(PATTERNS)


def test_thirds_are_runs_of_neighbouring_layers(models: list[Profile]) -> None:
    names = [group.name for group in group_modules(bert(models[0], 7).tensors, 90)]
    assert [n for n in names if n.startswith("attention")] == ["attention 0-1", "attention 2-4", "attention 5-6"]
