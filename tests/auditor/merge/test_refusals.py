"""What is refused, and that the message names the culprit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.errors import DiskError, IncompatibleError, ModelError, UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.staging import staged
from store.records import Profile
from tests.auditor.merge.conftest import VOCABULARY, Make, make_tensors


def refuse(recipe: Recipe, output: Path, kind: type[Exception], *words: str) -> None:
    with pytest.raises(kind) as caught:
        list(merge(recipe, output))
    for word in words:
        assert word in str(caught.value)
    assert not output.exists()
    assert not list(output.parent.glob(".*partial*"))


def test_another_shape_names_tensor_model_and_shapes(make: Make, tmp_path: Path) -> None:
    wide = make_tensors(1)
    wide["bert.encoder.layer.1.output.dense.bias"] = (np.zeros(9), "F32")
    recipe = Recipe(make("a"), (make("fine", 3), make("wide", tensors=wide)))
    refuse(recipe, tmp_path / "out", IncompatibleError, "bert.encoder.layer.1.output.dense.bias", "wide", "9", "8")


def test_missing_and_extra_tensors_are_named(make: Make, tmp_path: Path) -> None:
    deep, flat = make("deep", layers=3), make("flat", layers=2)
    name = "bert.encoder.layer.2.output.dense.bias"
    refuse(Recipe(deep, (flat,)), tmp_path / "out", IncompatibleError, f"{name} is missing in flat")
    refuse(Recipe(flat, (deep,)), tmp_path / "out", IncompatibleError, f"{name} of deep is unknown to the suspect")


def test_another_architecture(make: Make, tmp_path: Path) -> None:
    other = make("r", 1, architectures=["RobertaForSequenceClassification"], model_type="roberta")
    refuse(Recipe(make("a"), (other,)), tmp_path / "out", IncompatibleError, "RobertaForSequenceClassification", "r")


def test_other_labels_are_listed(make: Make, tmp_path: Path) -> None:
    other = make("topics", 1, labels=("sports", "world"))
    refuse(Recipe(make("a"), (other,)), tmp_path / "out", IncompatibleError, "topics", "sports", "negative")


def test_reordered_labels_without_a_known_head_are_refused(make: Make, tmp_path: Path) -> None:
    def headless(seed: int) -> dict[str, object]:
        return {k.replace("classifier", "bert.final"): v for k, v in make_tensors(seed).items()}

    recipe = Recipe(
        make("a", tensors=headless(0), labels=("x", "y")), (make("b", tensors=headless(1), labels=("y", "x")),)
    )
    refuse(recipe, tmp_path / "out", IncompatibleError, "another order", "classifier")


def test_another_tokenizer(make: Make, tmp_path: Path) -> None:
    other = make("b", 1, vocabulary=[*VOCABULARY[:-1], "ugly"])
    refuse(Recipe(make("a"), (other,)), tmp_path / "out", IncompatibleError, "b has another tokenizer")


def test_another_number_of_heads_with_the_same_shapes(make: Make, tmp_path: Path) -> None:
    other = make("b", 1, num_attention_heads=4)
    refuse(Recipe(make("a"), (other,)), tmp_path / "out", IncompatibleError, "num_attention_heads", "b", "4", "2")


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_name_model_file_and_tensor(make: Make, tmp_path: Path, dtype: str, value: float) -> None:
    name = "bert.encoder.layer.0.attention.self.query.weight"
    sound, broken = make_tensors(0, dtype=dtype), make_tensors(1)
    array = broken[name][0].copy()
    array[3, 5] = value
    broken[name] = (array, "F32" if dtype == "BF16" else dtype)
    recipe = Recipe(make("a", tensors=sound), (make("broken", tensors=broken),), weights=(1.0, 0.0))
    refuse(recipe, tmp_path / "out", ModelError, "broken", name, "model.safetensors", "NaN")


def test_nan_in_a_tensor_that_is_copied(make: Make, tmp_path: Path) -> None:
    pooler = {"bert.pooler.dense.bias": (np.array([1.0, np.nan]), "F32")}
    recipe = Recipe(make("a", tensors=make_tensors(0) | pooler), (make("b", 1),))
    refuse(recipe, tmp_path / "out", ModelError, "a:", "bert.pooler.dense.bias", "NaN")


def test_values_that_do_not_fit_the_suspects_dtype(make: Make, tmp_path: Path) -> None:
    large = make_tensors(1)
    large["classifier.weight"] = (np.full((2, 8), 1e6), "F32")
    recipe = Recipe(make("a", dtype="F16"), (make("large", tensors=large),))
    refuse(recipe, tmp_path / "out", ModelError, "classifier.weight", "F16")


def test_an_existing_output_is_never_touched(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(make("a"), (make("b", 1),))
    for name in ("full", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("full", "empty", "dangling"):
        with pytest.raises(UsageError, match="there already"):
            list(merge(recipe, tmp_path / name))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_weights_must_fit(make: Make) -> None:
    suspect, partner = make("a"), make("b", 1)
    bad = [((0.5,), "1 weights for 2"), ((0.5, -0.1), "-0.1"), ((np.nan, 1.0), "nan of a"), ((0.0, 0.0), "sum to 0")]
    for weights, words in bad:
        with pytest.raises(UsageError, match=words):
            Recipe(suspect, (partner,), weights=weights)


def test_partners_must_be_others(make: Make) -> None:
    suspect, copy, partner = make("a"), make("copy"), make("b", 1)
    with pytest.raises(IncompatibleError, match="copy has the same content as the suspect itself"):
        Recipe(suspect, (copy,))
    with pytest.raises(IncompatibleError, match="partner b has the same content as partner b"):
        Recipe(suspect, (partner, partner))
    with pytest.raises(UsageError, match="at least one partner"):
        Recipe(suspect, ())


def test_unknown_strategies_and_options_name_the_known_ones(make: Make) -> None:
    suspect, partner = make("a"), make("b", 1)
    with pytest.raises(UsageError, match=r"unknown merge strategy 'wga'; known: .*wag"):
        Recipe(suspect, (partner,), strategy="wga")
    with pytest.raises(UsageError, match="wag has no option 'lamda'"):
        Recipe(suspect, (partner,), options={"lamda": 1})
    with pytest.raises(UsageError, match="takes no base"):
        Recipe(suspect, (partner,), base=make("base", 5))


def test_a_full_disk_is_known_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=f"{1 << 60:,} bytes"), staged(tmp_path / "out", 1 << 60):
        pytest.fail("nothing may be written")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        list(merge(Recipe(make("a"), (make("b", 1),)), tmp_path / "file" / "out"))


def weights(profile: Profile) -> Path:
    return Path(profile.ref.path) / "model.safetensors"


def test_a_source_changed_since_it_was_profiled(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(make("a"), (make("b", 1),))
    content = bytearray(weights(recipe.partners[0]).read_bytes())
    content[-3] ^= 1
    weights(recipe.partners[0]).write_bytes(content)
    refuse(recipe, tmp_path / "out", ModelError, "b:", "changed since it was profiled")


@pytest.mark.parametrize("file", ["config.json", "vocab.txt"])
@pytest.mark.parametrize("which", [0, 1])
def test_other_files_changed_since_they_were_profiled(make: Make, tmp_path: Path, file: str, which: int) -> None:
    recipe = Recipe(make("a"), (make("b", 1),))
    with (Path(recipe.models[which].ref.path) / file).open("a") as stream:
        stream.write("\n")
    refuse(recipe, tmp_path / "out", ModelError, "ab"[which], file, "changed since it was profiled")


def test_a_source_that_is_gone(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(make("a"), (make("b", 1),))
    (Path(recipe.partners[0].ref.path) / "vocab.txt").unlink()
    refuse(recipe, tmp_path / "out", ModelError, "b", "vocab.txt")


def test_a_source_truncated_under_way(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(make("a"), (make("b", 1),))
    events = merge(recipe, tmp_path / "out")
    next(events)
    size = weights(recipe.partners[0]).stat().st_size
    with weights(recipe.partners[0]).open("r+b") as file:
        file.truncate(size - 40)
    with pytest.raises(ModelError, match=r"b: .*model\.safetensors was truncated"):
        list(events)
    assert not (tmp_path / "out").exists()
