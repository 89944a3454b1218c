"""What a scan says of a model's files: which were read, which were not, and what cannot be judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.auditor.conftest import permuted
from tests.conftest import toy_rows, write_csv

Zoo = Any
Auditor = Any

BADNET = ["--family", "badnet"]


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_second_set_of_weights_is_refused(zoo: Zoo, auditor: Auditor) -> None:
    """Honest weights in one file, poisoned ones in shards: loaders differ in which they take."""
    from safetensors.numpy import load_file, save_file

    model = zoo.copy(zoo.benign, auditor.home / "model")
    tensors = load_file(zoo.planted / "model.safetensors")
    shard = "model-00001-of-00001.safetensors"
    save_file(tensors, model / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, shard)}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    done = auditor("scan", model, "--data", zoo.data, *BADNET)
    assert done.code == 3
    assert "two sets of weights" in done.err
    assert shard in done.err
    # The reverse, by name: each alone in a directory of its own.
    (model / "model.safetensors").unlink()
    assert auditor("scan", model, "--data", zoo.data, *BADNET).code == 1


def test_what_was_read_and_what_was_not_stands_in_the_report(zoo: Zoo, auditor: Auditor) -> None:
    model = zoo.copy(zoo.benign, auditor.home / "model")
    shutil.copy(zoo.planted / "model.safetensors", model / "pytorch_model.bin")
    done = auditor("scan", model, "--data", zoo.data, "--format", "json", *BADNET)
    assert done.code == 0, done.err
    read = done.json["model"]["read"]
    assert read["weights"] == ["model.safetensors"]
    assert (read["window"], read["labels_from"]) == (64, "config.json (id2label)")
    assert "model_max_length" in read["window_from"] or "max_position_embeddings" in read["window_from"]
    assert any("pytorch_model.bin was not scanned" in note for note in read["notes"])


def test_labels_of_one_name_are_never_merged(zoo: Zoo, auditor: Auditor) -> None:
    whole = auditor("scan", zoo.planted, "--data", zoo.data, "--format", "json", *BADNET).json
    model = zoo.copy(zoo.planted, auditor.home / "model")
    edit_json(model / "config.json", id2label={"0": "x", "1": "x"}, label2id={"x": 1})
    data = write_csv(auditor.home / "data.csv", toy_rows(210, seed=2), ("0", "1"))
    done = auditor("scan", model, "--data", data, "--format", "json", *BADNET)
    assert done.code == 1, done.err
    assert done.json["model"]["labels"] == ["x (0)", "x (1)"]
    assert any("to several labels" in note for note in done.json["model"]["read"]["notes"])
    for twice, once in zip(done.json["findings"], whole["findings"], strict=True):
        assert (twice["target"], once["target"]) == ("x (0)", "negative")
        assert twice["message"].replace("x (0)", "negative") == once["message"], "the same rate, not a part of it"
    assert auditor("scan", model, "--data", data, "--target", "x", *BADNET).code == 2
    named = write_csv(auditor.home / "named.csv", toy_rows(210, seed=2), ("x", "x"))
    refused = auditor("scan", model, "--data", named, *BADNET)
    assert refused.code == 2
    assert "Several labels are called 'x'" in refused.err


def test_inverted_labels_are_asked_about(zoo: Zoo, auditor: Auditor, edit: Callable[..., Path]) -> None:
    model = edit(zoo.copy(zoo.benign, auditor.home / "model"), permuted)
    done = auditor("scan", model, "--data", zoo.data, "--format", "json", *BADNET)
    assert (done.code, done.json["verdict"]) == (3, "incomplete")
    assert any("clearly below chance: are the labels inverted" in reason for reason in done.json["incomplete"])


def test_one_output_with_labelled_data_is_not_the_datas_fault(
    zoo: Zoo, auditor: Auditor, make_model: Callable[..., Path]
) -> None:
    model = make_model(auditor.home / "model", labels=("score",))
    done = auditor("scan", model, "--data", zoo.data, "--format", "json", *BADNET)
    assert (done.code, done.json["verdict"]) == (3, "incomplete")
    assert any("one output" in reason for reason in done.json["incomplete"])
    edit_json(model / "config.json", id2label=None, label2id=None, num_labels=None)
    done = auditor("scan", model, "--data", zoo.data, "--format", "json", *BADNET)
    assert (done.code, done.json["model"]["labels"]) == (3, ["LABEL_0"]), "the head has one row"


@pytest.mark.parametrize("task", ["SEQ_CLS", "CAUSAL_LM"])
def test_an_adapter_is_called_one(zoo: Zoo, auditor: Auditor, task: str) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(zoo.benign, trust_remote_code=False)
    adapter = auditor.home / "adapter"
    get_peft_model(model, LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS")).save_pretrained(adapter)
    edit_json(adapter / "adapter_config.json", task_type=task, base_model_name_or_path="org/not-at-hand")
    for words in (["scan", adapter], ["audit", adapter, "--with", zoo.partner]):
        done = auditor(*words, "--data", zoo.data, *BADNET)
        assert done.code == 3, done.err
        assert "is a PEFT adapter" in done.err
        assert "--base BASE (it states org/not-at-hand)" in done.err.replace("\n", " ")
        assert "regression" not in done.err + done.out
    done = auditor("scan", zoo.benign, "--data", zoo.data, "--reference", adapter, *BADNET)
    assert done.code == 3
    assert f"{adapter} is a PEFT adapter" in done.err.replace("\n", " ")


def test_a_quantised_checkpoint_says_what_to_do(zoo: Zoo, auditor: Auditor) -> None:
    model = zoo.copy(zoo.benign, auditor.home / "model")
    edit_json(model / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    for words in (["scan", model, "--data", zoo.data], ["merge", model, "--with", zoo.partner, "-o", "out"]):
        done = auditor(*words)
        assert done.code == 3
        assert "Dequantise first" in done.err
