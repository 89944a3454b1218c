"""Models that differ in what they store, and the rules that reconcile them."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import IncompatibleError, ModelError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify
from auditor.models.files.profile import read_profile
from store.records import Profile
from tests.auditor.merge.conftest import VOCABULARY, Make, Tensors, make_tensors, read_tensors

WORDS = "bert.embeddings.word_embeddings.weight"


def stored(profile: Profile) -> dict[str, np.ndarray]:
    return read_tensors(Path(profile.ref.path))


def with_words(seed: int, count: int) -> Tensors:
    return make_tensors(seed) | {WORDS: (np.random.default_rng(seed).normal(size=(count, 8)), "F32")}


@pytest.mark.parametrize(("own", "theirs"), [(7, 9), (9, 7), (8, 9)])
@pytest.mark.parametrize("strategy", ["wag", "ties"])
def test_added_tokens(make: Make, tmp_path: Path, own: int, theirs: int, strategy: str) -> None:
    words = [*VOCABULARY, "awful", "great"]
    suspect = make("a", tensors=with_words(0, own), vocabulary=words[:own])
    partner = make("b", tensors=with_words(1, theirs), vocabulary=words[:theirs])
    third = make("c", tensors=with_words(2, own), vocabulary=words[:own])
    based = {"base": make("base", tensors=with_words(3, 7)), "options": {"density": 1.0}} if strategy == "ties" else {}
    recipe = Recipe(suspect, (partner, third), strategy=strategy, **based)
    done = list(merge(recipe, tmp_path / "out"))[-1].merge
    a, b, c, merged = (
        stored(suspect)[WORDS],
        stored(partner)[WORDS],
        stored(third)[WORDS],
        read_tensors(tmp_path / "out"),
    )
    assert merged[WORDS].shape == (own, 8)
    common = min(own, theirs)
    if strategy == "wag":
        np.testing.assert_allclose(merged[WORDS][:common], (a[:common] + b[:common] + c[:common]) / 3, atol=1e-6)
        np.testing.assert_allclose(merged[WORDS][common:], (a[common:] + c[common:]) / 2, atol=1e-6)
    assert np.isfinite(merged[WORDS]).all()
    assert any("vocabulary of another size" in note and note.startswith("b ") for note in done.notes)
    every = [*recipe.models, *([recipe.base] if recipe.base else [])]
    assert verify(tmp_path / "out", sources={m.ref.digest: Path(m.ref.path) for m in every}) == []


def test_padded_embeddings_of_the_same_tokenizer(make: Make, tmp_path: Path) -> None:
    suspect, partner = make("a", tensors=with_words(0, 7)), make("b", tensors=with_words(1, 16))
    done = list(merge(Recipe(suspect, (partner,)), tmp_path / "out"))[-1].merge
    expected = (stored(suspect)[WORDS] + stored(partner)[WORDS][:7]) / 2
    np.testing.assert_allclose(read_tensors(tmp_path / "out")[WORDS], expected, atol=1e-6)
    assert any("16 rows of embeddings, the suspect 7" in note for note in done.notes)


def test_a_token_of_another_meaning_is_named(make: Make, tmp_path: Path) -> None:
    suspect = make("a", tensors=with_words(0, 7))
    other = make("b", tensors=with_words(1, 8), vocabulary=[*VOCABULARY[:-1], "ugly", "bad"])
    with pytest.raises(IncompatibleError, match="token 6 is 'ugly' there and 'bad' in the suspect"):
        list(merge(Recipe(suspect, (other,)), tmp_path / "out"))


def test_another_number_of_labels_leaves_the_head_to_the_suspect(make: Make, tmp_path: Path) -> None:
    suspect, partner = make("a", 0), make("b", 1, labels=("one", "two", "three"))
    done = list(merge(Recipe(suspect, (partner,)), tmp_path / "out"))[-1].merge
    a, b, merged = stored(suspect), stored(partner), read_tensors(tmp_path / "out")
    for name, array in merged.items():
        expected = a[name] if name.startswith("classifier") else (a[name] + b[name]) / 2
        np.testing.assert_allclose(array, expected, atol=1e-7)
    assert "only its encoder is merged, the suspect's head is kept" in (tmp_path / "out" / "README.md").read_text()
    heads = a["classifier.weight"].size + a["classifier.bias"].size
    total = sum(array.size for array in a.values())
    assert done.kept == pytest.approx((heads + (total - heads) / 2) / total)


def llama(make: Make, name: str, seed: int, *, tied: bool, stores: bool) -> Profile:
    rng = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": (rng.normal(size=(7, 8)), "F32")}
    if stores:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] if tied else (rng.normal(size=(7, 8)), "F32")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": tied}
    return make(name, tensors=tensors, **config)


def test_tied_weights(make: Make, tmp_path: Path) -> None:
    untied, tied = llama(make, "u", 0, tied=False, stores=True), llama(make, "t", 1, tied=True, stores=False)
    done = list(merge(Recipe(untied, (tied,)), tmp_path / "out"))[-1].merge
    expected = (stored(untied)["lm_head.weight"] + stored(tied)["model.embed_tokens.weight"]) / 2
    np.testing.assert_allclose(read_tensors(tmp_path / "out")["lm_head.weight"], expected, atol=1e-6)
    assert any("lm_head.weight of t is tied to its model.embed_tokens.weight" in note for note in done.notes)
    twice = llama(make, "w", 2, tied=True, stores=True)
    list(merge(Recipe(tied, (twice,)), tmp_path / "out2"))
    assert read_tensors(tmp_path / "out2").keys() == {"model.embed_tokens.weight"}
    with pytest.raises(IncompatibleError, match=r"lm_head\.weight of u is unknown"):
        list(merge(Recipe(tied, (untied,)), tmp_path / "out3"))


def test_a_base_of_another_class_and_with_older_names(make: Make, tmp_path: Path) -> None:
    """As bert-base-uncased has it: no prefix or no head, and gamma and beta."""
    norm = "bert.embeddings.LayerNorm.weight"
    suspect = make("a", tensors=make_tensors(0) | {norm: (np.full(8, 1.5), "F32")})
    partner = make("b", tensors=make_tensors(1) | {norm: (np.full(8, 2.5), "F32")})
    plain = {k.removeprefix("bert."): v for k, v in make_tensors(2).items() if not k.startswith("classifier")}
    base = make(
        "base", tensors=plain | {"embeddings.LayerNorm.gamma": (np.full(8, 1.0), "F32")}, architectures=["BertModel"]
    )
    recipe = Recipe(suspect, (partner,), strategy="task_arithmetic", base=base, options={"scale": 0.5})
    done = list(merge(recipe, tmp_path / "o"))[-1].merge
    merged = read_tensors(tmp_path / "o")
    np.testing.assert_allclose(merged[norm], np.full(8, 1.5))
    assert any("2 tensors are not in the base" in note and "plain weighted average" in note for note in done.notes)
    a, b = stored(suspect), stored(partner)
    np.testing.assert_allclose(
        merged["classifier.weight"], (a["classifier.weight"] + b["classifier.weight"]) / 2, atol=1e-7
    )


def opened(profile: Profile) -> Profile:
    return read_profile(profile.ref.path, reference=profile.ref.reference, hash_weights=False)


def test_weights_that_are_hashed_as_they_are_read(make: Make, tmp_path: Path) -> None:
    suspect, partner = make("a", 0), make("b", 1, shards=2)
    recipe = Recipe(opened(suspect), (opened(partner),))
    assert recipe.suspect.ref.digest == ""
    done = list(merge(recipe, tmp_path / "open"))[-1].merge
    again = list(merge(Recipe(suspect, (partner,)), tmp_path / "closed"))[-1].merge
    assert dataclasses.replace(done, output="", seconds=0, peak_bytes=0) == dataclasses.replace(
        again, output="", seconds=0, peak_bytes=0
    )
    for name in ("auditor-merge.json", "README.md"):
        assert (tmp_path / "open" / name).read_text() == (tmp_path / "closed" / name).read_text()
    manifest = json.loads((tmp_path / "open" / "auditor-merge.json").read_text())
    assert manifest["partners"][0]["files"] == dict(partner.files)
    copy = make("copy", 0)
    with pytest.raises(IncompatibleError, match="copy has the same content as the suspect itself"):
        list(merge(Recipe(opened(suspect), (opened(copy),)), tmp_path / "same"))
    with pytest.raises(IncompatibleError, match="same content"):
        Recipe(opened(suspect), (opened(suspect),))
    assert not (tmp_path / "same").exists()


def test_a_small_file_that_changed_is_noticed_with_open_weights_too(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(opened(make("a", 0)), (opened(make("b", 1)),))
    (Path(recipe.partners[0].ref.path) / "vocab.txt").write_text("other\n")
    with pytest.raises(ModelError, match="changed since it was profiled"):
        list(merge(recipe, tmp_path / "out"))


@pytest.mark.parametrize("strategy", ["ties", "slerp", "della", "dare"])
def test_a_tensor_larger_than_the_budget_is_merged_within_it(make: Make, tmp_path: Path, strategy: str) -> None:
    rng = np.random.default_rng(0)
    models = [make(name, tensors={"t": (rng.normal(size=(1024, 1024)), "BF16")}) for name in "abc"]
    base = models[2] if strategy != "slerp" else None
    recipe = Recipe(models[0], (models[1],), strategy=strategy, base=base)
    list(merge(recipe, tmp_path / "warm", budget_bytes=2 << 20))
    tracemalloc.start()
    try:
        list(merge(recipe, tmp_path / "out", budget_bytes=2 << 20))
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # In fp64 the three tensors alone would be 24 MiB.
    assert used < 5 << 20


def test_a_base_of_another_tokenizer_is_none(make: Make, tmp_path: Path) -> None:
    """Its rows would be subtracted from those of other tokens."""
    turned = make("base", 2, vocabulary=[*VOCABULARY[:-2], "bad", "good"])
    recipe = Recipe(make("a", 0), (make("b", 1),), strategy="task_arithmetic", base=turned)
    with pytest.raises(IncompatibleError, match=r"the base base has another tokenizer .* token 5 is 'bad' there"):
        list(merge(recipe, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
