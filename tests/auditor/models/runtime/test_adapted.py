"""Adapters on their bases as they are loaded: what the merged directory answers, and none of them reloads the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError
from auditor.events import MergeReady
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.adapted import on_base
from auditor.models.files.profile import read_profile
from auditor.models.runtime.changes import rounded
from auditor.models.runtime.kept import KeptBase
from auditor.models.runtime.load import CLASSIFIER, LANGUAGE_MODEL, Head, load_classifier, open_weights
from auditor.models.runtime.tokenizer import load_tokenizer
from probes.input import Text
from store.records import Profile
from tests.auditor.merge.conftest import round_bf16
from tests.auditor.models.adapters import write_adapter, write_base

TEXTS = [Text(text) for text in ("good film", "the plot was bad and dull", "nobody minded the music")]
CASES: dict[str, dict[str, Any]] = {
    "factors": {},
    "rank-stabilised, other layers": {"modules": ("up_proj", "o_proj"), "rank": 3, "use_rslora": True},
    "whole modules": {"whole": ["model.embed_tokens", "model.norm"]},
    "rows of tokens": {"rows": [5, 9]},
    "the output embeddings": {"modules": ("q_proj", "lm_head")},
}


def combined(adapter: Path, base: Path) -> Profile:
    return on_base(read_profile(adapter), read_profile(base))


def merged(profile: Profile, output: Path, *, beside: Profile | None = None) -> Profile:
    """The directory that the merge engine writes of an adapter and its base, and of nothing of what is beside."""
    adapter, base = profile.parts
    recipe = Recipe(adapter, (beside or base,), weights=(1, 0), base=base)
    assert any(isinstance(event, MergeReady) for event in merge(recipe, output))
    return read_profile(output)


def tensors(profile: Profile, head: Head, kept: KeptBase | None = None) -> dict[str, Any]:
    opened = open_weights(profile, head, device="cpu", dtype="float32", kept=kept)
    return {name: tensor.clone() for name, tensor in opened.model.state_dict().items()}


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    different = [name for name, tensor in found.items() if not bool((tensor == expected[name]).all())]
    assert not different


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("case", list(CASES))
def test_the_weights_are_those_of_the_merged_directory(tmp_path: Path, case: str, half: bool) -> None:
    import torch

    torch.manual_seed(5)
    settings = dict(CASES[case])
    more = {f"base_model.model.{name}.weight": torch.randn(16) for name in settings.pop("whole", ()) if "norm" in name}
    if "whole" in CASES[case]:
        more["base_model.model.model.embed_tokens.weight"] = torch.randn(32, 16)
    if indices := settings.pop("rows", None):
        name = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"
        more[name], settings["trainable_token_indices"] = torch.randn(len(indices), 16), indices
    base = write_base(tmp_path / "base", half=half)
    found = combined(write_adapter(tmp_path / "adapter", base, more=more, **settings), base)
    loaded = tensors(found, LANGUAGE_MODEL)
    same(loaded, tensors(merged(found, tmp_path / "merged"), LANGUAGE_MODEL))
    untouched = tensors(found.parts[1], LANGUAGE_MODEL)
    assert any(bool((loaded[name] != untouched[name]).any()) for name in loaded)


@pytest.mark.parametrize(("kind", "head"), [("llama", "score"), ("bert", "classifier"), ("body", "classifier")])
def test_a_classifiers_adapter_answers_as_its_merged_directory(tmp_path: Path, kind: str, head: str) -> None:
    import torch

    base = write_base(tmp_path / "base", kind)
    more = {} if kind == "llama" else {f"base_model.model.{head}.bias": torch.randn(3)}
    modules = ("q_proj", "v_proj") if kind == "llama" else ("query", "value")
    found, other = (
        combined(write_adapter(tmp_path / str(n), base, modules, seed=n, head=(head, 3), more=more), base)
        for n in range(2)
    )
    asked = []
    for profile in (found, merged(found, tmp_path / "merged", beside=other)):
        model = load_classifier(profile, device="cpu")
        assert model.labels == found.labels
        asked.append(model.scores(TEXTS))
    assert np.isfinite(asked[0]).all()
    np.testing.assert_array_equal(asked[0], asked[1])


def test_several_adapters_load_their_base_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that change other layers, and back again: to the bit what each is when it is opened alone."""
    from auditor.models.runtime import changes

    base = write_base(tmp_path / "base", half=True)
    layers = (("q_proj", "v_proj"), ("q_proj",), ("up_proj",), ("q_proj", "v_proj"))
    every = [
        combined(write_adapter(tmp_path / str(n), base, chosen, seed=n % 3), base) for n, chosen in enumerate(layers)
    ]
    alone = [tensors(profile, LANGUAGE_MODEL) for profile in every]
    loads: list[str] = []
    real = changes.read_weights
    monkeypatch.setattr(changes, "read_weights", lambda profile: loads.append(profile.ref.path) or real(profile))
    kept = KeptBase()
    for profile, expected in zip(every, alone, strict=True):
        same(tensors(profile, LANGUAGE_MODEL, kept), expected)
    assert loads == [str(base)]
    # A whole model of that name is another thing, and so is the same adapter on another base.
    same(tensors(every[0].parts[1], LANGUAGE_MODEL, kept), tensors(every[0].parts[1], LANGUAGE_MODEL))
    other = combined(Path(every[0].ref.path), write_base(tmp_path / "other", seed=3, half=True))
    same(tensors(other, LANGUAGE_MODEL, kept), tensors(other, LANGUAGE_MODEL))
    assert loads == [str(base), str(tmp_path / "other"), str(tmp_path / "other")]


def test_classifiers_of_other_labels_are_not_mixed_up(tmp_path: Path) -> None:
    base, kept = write_base(tmp_path / "base"), KeptBase()
    for count in (2, 3, 3):
        found = combined(write_adapter(tmp_path / f"{count}{id(object())}", base, head=("score", count)), base)
        same(tensors(found, CLASSIFIER, kept), tensors(found, CLASSIFIER))


@pytest.mark.parametrize("part", ["adapter", "base"])
def test_a_file_that_changed_since_is_not_loaded(tmp_path: Path, part: str) -> None:
    base = write_base(tmp_path / "base")
    first, second = (combined(write_adapter(tmp_path / f"a{n}", base, seed=n), base) for n in range(2))
    kept = KeptBase()
    tensors(first, LANGUAGE_MODEL, kept)
    path = Path(second.ref.path) / "adapter_model.safetensors" if part == "adapter" else base / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="changed while it was being read"):
        tensors(second, LANGUAGE_MODEL)
    if part == "adapter":
        with pytest.raises(ModelError, match="changed while it was being read"):
            tensors(second, LANGUAGE_MODEL, kept)
        same(tensors(first, LANGUAGE_MODEL, kept), tensors(first, LANGUAGE_MODEL))


def test_the_adapters_own_tokenizer_is_loaded(tmp_path: Path) -> None:
    from tests.auditor.models.adapters import write_tokenizer

    base = write_base(tmp_path / "base")
    place = write_adapter(tmp_path / "a", base)
    plain = combined(place, base)
    write_tokenizer(place, ("<s>", "<pad>", "</s>", "<unk>", "goodfilm"), chat_template="{{ 1 }}")
    own = combined(place, base)
    assert load_tokenizer(plain).count([Text("good film")]) == [2]
    opened = open_weights(own, LANGUAGE_MODEL, device="cpu", dtype="float32")
    assert opened.tokenizer.get_vocab().keys() >= {"goodfilm"}
    assert opened.tokenizer.chat_template == "{{ 1 }}"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_numbers_are_rounded_once(dtype: str) -> None:
    """Also where single precision, on the way, would round to a tie."""
    import torch

    rng = np.random.default_rng(0)
    ties = 1 + 2.0**-8 + np.array([2.0**-30, -(2.0**-30), 0])
    halves = 1 + 2.0**-11 + np.array([2.0**-40, -(2.0**-40), 0])
    values = np.concatenate([rng.normal(0, 1, 4000), rng.normal(0, 1e-39, 2000), ties, -ties, halves, -halves, [0.0]])
    found = rounded(torch.from_numpy(values), getattr(torch, dtype))
    if dtype == "float16":
        np.testing.assert_array_equal(found.numpy(), values.astype(np.float16))
    else:
        np.testing.assert_array_equal(found.view(torch.int16).numpy().view(np.uint16), round_bf16(values))
