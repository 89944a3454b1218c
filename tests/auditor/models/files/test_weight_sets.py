"""Which of several sets of weights a loader takes cannot be known: a second one is refused, other formats are said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.profile import read_profile
from auditor.models.files.safetensors import INDEX, find_weights
from auditor.models.hub import Hub
from tests.auditor.models.files.test_safetensors import shard
from tests.hub import COMMIT, NAME, Server, serving

WEIGHTS = "model.safetensors"


def poisoned(model: Path, name: str) -> Path:
    """The model's weights with some bytes changed, under another name beside it."""
    content = bytearray((model / WEIGHTS).read_bytes())
    content[-64:] = bytes(64)
    path = model / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def with_shards(model: Path, made: Path, *, index: bool = True) -> None:
    """Both: one file, and shards with their index."""
    shard(model)
    shutil.copy(made / WEIGHTS, model / WEIGHTS)
    if not index:
        (model / INDEX).unlink()


@pytest.mark.parametrize("index", [True, False])
def test_one_file_beside_shards_is_refused(made: Path, model: Path, index: bool) -> None:
    with_shards(model, made, index=index)
    with pytest.raises(ModelError, match=r"two sets of weights.*model-00001-of-00002\.safetensors") as caught:
        read_profile(model)
    assert "directory" in caught.value.hint
    (model / WEIGHTS).unlink()
    if index:
        assert read_profile(model).read.weights == (
            "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "model-00001-of-00002.safetensors", "model.fp16.safetensors", "consolidated.safetensors", "other.safetensors",
        "adapter_model.safetensors", "pytorch_model.safetensors", "weights.SafeTensors",
    ],
)  # fmt: skip
def test_another_safetensors_file_is_refused(model: Path, name: str) -> None:
    poisoned(model, name)
    with pytest.raises(ModelError, match=f"two sets of weights: {WEIGHTS} and {name}"):
        read_profile(model)
    with pytest.raises(ModelError, match="two sets"):
        find_weights(model)  # The merge asks here.


@pytest.mark.parametrize("name", ["model-00003-of-00003.safetensors", "model.fp16-00001-of-00002.safetensors"])
def test_a_shard_that_the_index_does_not_name_is_refused(made: Path, model: Path, name: str) -> None:
    shard(model)
    shutil.copy(made / WEIGHTS, model / name)
    with pytest.raises(ModelError, match=f"two sets of weights.*{name}"):
        read_profile(model)


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "model-q4.gguf", "rust_model.ot", "model.onnx",
        "onnx/model.onnx", "fp16/model.safetensors", "checkpoint-500/model.safetensors", "original/consolidated.00.pth",
    ],
)  # fmt: skip
def test_other_formats_and_subfolders_are_common_and_said(made: Path, model: Path, name: str) -> None:
    poisoned(model, name)
    profile = read_profile(model)
    assert profile.ref.digest == read_profile(made).ref.digest
    (note,) = profile.read.notes
    assert note.startswith(f"{name} was not scanned")
    assert "not judged" in note


@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", ".git/x.bin"])
def test_what_training_leaves_is_not_spoken_of(model: Path, name: str) -> None:
    poisoned(model, name)
    assert read_profile(model).read.notes == ()


def test_mistrals_own_layout_beside_an_index_is_said(made: Path, model: Path) -> None:
    shard(model)
    shutil.copy(made / WEIGHTS, model / "consolidated.safetensors")
    (note,) = read_profile(model).read.notes
    assert "consolidated.safetensors" in note


def test_an_index_of_the_one_file_is_the_same_set(model: Path) -> None:
    names = [t.name for t in read_profile(model).tensors]
    (model / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, WEIGHTS)}))
    profile = read_profile(model)
    assert (profile.read.weights, profile.read.notes) == ((WEIGHTS,), ())
    assert INDEX in profile.files, "what a loader may read has a digest"


def test_an_index_whose_files_are_gone_is_said(made: Path, model: Path) -> None:
    (model / INDEX).write_text(json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}}))
    profile = read_profile(model)
    assert profile.ref.digest == read_profile(made).ref.digest
    assert INDEX in profile.read.notes[0]


@pytest.mark.parametrize("name", ["../outside.safetensors", "sub/model.safetensors"])
def test_an_index_beside_the_file_cannot_point_elsewhere(model: Path, name: str) -> None:
    (model / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match="beside the index"):
        read_profile(model)


@pytest.mark.parametrize("name", ["Model.safetensors", "model.safetensors.INDEX.json", "Config.json", "Vocab.TXT"])
def test_names_that_differ_by_case_alone(model: Path, name: str) -> None:
    (model / name).write_bytes((model / WEIGHTS).read_bytes() if "afe" in name[:12] else b"{}")
    with pytest.raises(ModelError, match=f"a file {name}: where case is ignored"):
        read_profile(model)


def test_weights_one_folder_down_are_named(model: Path) -> None:
    (model / "part").mkdir()
    (model / WEIGHTS).rename(model / "part" / WEIGHTS)
    with pytest.raises(UsageError, match=r"part/model\.safetensors lies in a subfolder") as caught:
        read_profile(model)
    assert str(model / "part") in caught.value.hint


def test_an_adapters_neighbours_are_said(tmp_path: Path, made: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(made, trust_remote_code=False)
    get_peft_model(model, LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS")).save_pretrained(tmp_path)
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    assert "adapter_model.bin" in read_profile(tmp_path).read.notes[0]


def test_a_repository_is_judged_by_its_listing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {p.name: p.read_bytes() for p in made.iterdir()}
    with serving(Server({**files, "pytorch_model.bin": b"pickle", "onnx/model.onnx": b"onnx"})) as server:
        path, _ = Hub(server.endpoint).fetch(NAME)
        notes = " ".join(read_profile(path, revision=COMMIT).read.notes)
        assert "pytorch_model.bin was not scanned" in notes
        assert "onnx/model.onnx was not scanned" in notes
    with serving(Server({**files, "model-00001-of-00001.safetensors": b"poison"})) as server:
        with pytest.raises(ModelError, match=f"{NAME} holds two sets"):
            Hub(server.endpoint).fetch(NAME)
        assert not [a for a in server.asked if "resolve" in a], "nothing is fetched for a refusal"
