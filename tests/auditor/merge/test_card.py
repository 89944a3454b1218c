"""The manifest, the model card, and the check of both."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from auditor.errors import ModelError, UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify
from auditor.models.files.fingerprint import digest_of_files, hash_file
from auditor.models.files.model_card import read_card
from auditor.models.files.profile import read_profile
from store.records import Profile
from tests.auditor.merge.conftest import Make


@pytest.fixture
def merged(make: Make, tmp_path: Path) -> tuple[Path, Recipe]:
    recipe = Recipe(make("a"), (make("b", 1, labels=("positive", "negative")), make("c", 2)), weights=(1, 2, 4))
    list(merge(recipe, tmp_path / "out"))
    return tmp_path / "out", recipe


def sources(recipe: Recipe) -> dict[str, Path]:
    return {model.ref.digest: Path(model.ref.path) for model in recipe.models}


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_the_manifest_names_every_input_and_output(merged: tuple[Path, Recipe]) -> None:
    output, recipe = merged
    manifest = json.loads((output / "auditor-merge.json").read_text("utf-8"))
    profile = read_profile(output)
    assert manifest["output"] == {"digest": profile.ref.digest, "files": dict(profile.files)}
    models = [manifest["suspect"], *manifest["partners"]]
    for stated, model in zip(models, recipe.models, strict=True):
        assert (stated["digest"], stated["files"]) == (model.ref.digest, dict(model.files))
    assert [model["weight"] for model in models] == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert (manifest["strategy"], manifest["seed"], manifest["kept"]) == ("wag", 0, pytest.approx(1 / 7))
    assert any("another order" in note for note in manifest["notes"])
    assert manifest["versions"]["auditor"]


def test_no_path_of_this_machine_is_published(merged: tuple[Path, Recipe], tmp_path: Path) -> None:
    for name in ("auditor-merge.json", "README.md"):
        assert str(tmp_path) not in (merged[0] / name).read_text("utf-8")


def from_hub(profile: Profile, name: str, licence: str) -> Profile:
    ref = dataclasses.replace(profile.ref, reference=name, revision="c" * 40)
    return dataclasses.replace(profile, ref=ref, licence=licence)


def test_the_card_has_the_hubs_metadata(make: Make, tmp_path: Path) -> None:
    recipe = Recipe(from_hub(make("a"), "org/a", "mit"), (from_hub(make("b", 1), "org/b@main", "mit"),))
    list(merge(recipe, tmp_path / "out"))
    card = read_card(tmp_path / "out" / "README.md")
    assert card == {
        "base_model": ["org/a", "org/b"],
        "base_model_relation": "merge",
        "tags": ["merge", "auditor"],
        "license": "mit",
    }
    mixed = Recipe(recipe.suspect, (from_hub(make("c", 2), "org/c", "gpl-3.0"),))
    list(merge(mixed, tmp_path / "mixed"))
    assert "license" not in read_card(tmp_path / "mixed" / "README.md")


def test_a_sound_merge_verifies(merged: tuple[Path, Recipe]) -> None:
    output, recipe = merged
    assert verify(output) == []
    assert verify(output, sources=sources(recipe)) == []


def test_a_flipped_byte_is_found(merged: tuple[Path, Recipe]) -> None:
    flip(merged[0] / "model.safetensors", -10)
    (problem,) = verify(merged[0])
    assert "model.safetensors" in problem
    flip(merged[0] / "model.safetensors", -10)
    flip(merged[0] / "vocab.txt", 3)
    (problem,) = verify(merged[0])
    assert "vocab.txt" in problem


def test_missing_and_added_files_are_found(merged: tuple[Path, Recipe]) -> None:
    (merged[0] / "tokenizer_config.json").unlink()
    (merged[0] / "pytorch_model.bin").write_bytes(b"")
    assert verify(merged[0]) == ["tokenizer_config.json is missing", "pytorch_model.bin is not in the manifest"]


def forge(output: Path) -> None:
    """Makes the manifest agree with the files that are there."""
    path = output / "auditor-merge.json"
    manifest = json.loads(path.read_text("utf-8"))
    files = {name: hash_file(output / name) for name in manifest["output"]["files"]}
    manifest["output"] = {"digest": digest_of_files(files), "files": files}
    path.write_text(json.dumps(manifest), "utf-8")


def test_a_forged_tensor_is_found_when_the_sources_are_at_hand(merged: tuple[Path, Recipe]) -> None:
    output, recipe = merged
    flip(output / "model.safetensors", -10)
    forge(output)
    assert verify(output) == []
    assert verify(output, sources=sources(recipe)) == [
        "tensor classifier.weight is not what the recipe makes of the sources"
    ]


def test_a_forged_tokenizer_is_found_when_the_sources_are_at_hand(merged: tuple[Path, Recipe]) -> None:
    output, recipe = merged
    flip(output / "vocab.txt", 3)
    forge(output)
    (problem,) = verify(output, sources=sources(recipe))
    assert problem == "vocab.txt is not the suspect's"


def test_sources_that_are_missing_or_changed_are_named(merged: tuple[Path, Recipe]) -> None:
    output, recipe = merged
    some = sources(recipe)
    del some[recipe.partners[0].ref.digest]
    (problem,) = verify(output, sources=some)
    assert "source b" in problem
    assert "not at hand" in problem
    flip(Path(recipe.partners[1].ref.path) / "model.safetensors", -10)
    (problem,) = verify(output, sources=sources(recipe))
    assert "cannot be recomputed" in problem
    assert recipe.partners[1].ref.digest[:12] in problem


def test_a_directory_without_a_sound_manifest(merged: tuple[Path, Recipe], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no auditor-merge\.json"):
        verify(Path(merged[1].suspect.ref.path))
    path = merged[0] / "auditor-merge.json"
    sound = json.loads(path.read_text("utf-8"))
    outside = {**sound, "output": {**sound["output"], "files": {"../a/config.json": "0"}}}
    for broken in ({**sound, "partners": [{}]}, {**sound, "schema": "other"}, outside, []):
        shutil.rmtree(tmp_path / "broken", ignore_errors=True)
        shutil.copytree(merged[0], tmp_path / "broken")
        (tmp_path / "broken" / "auditor-merge.json").write_text(json.dumps(broken), "utf-8")
        with pytest.raises(ModelError):
            verify(tmp_path / "broken")
