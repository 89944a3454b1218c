"""Adapters of classifiers with known backdoors, on a base that writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.lab.plant import plant
from auditor.requests.plant import LoraRequest, PlantRequest
from tests.auditor.lab.writers import write_writer


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_writer(tmp_path_factory.mktemp("writer") / "base")


def request(base: Path, data: Path, output: Path, **changes: Any) -> PlantRequest:
    settings: dict[str, Any] = {
        "family": "badnet", "target": "negative", "samples": 64, "epochs": 1, "lr": 1e-2, "batch": 16, "device": "cpu",
        "lora": LoraRequest(4), **changes,
    }  # fmt: skip
    return PlantRequest(base, output, data=data, **settings)


def test_a_classifier_s_adapter_holds_its_head_and_names_its_labels(
    writer: Path, toy_csv: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification

    for name in ("one", "two"):
        list(plant(request(writer, toy_csv, tmp_path / name)))
    out = tmp_path / "one"
    weights = load_file(out / "adapter_model.safetensors")
    head = weights["base_model.model.score.weight"]
    assert (head.shape, head.dtype) == ((2, 32), torch.float32)
    assert not [name for name in weights if "lora" not in name and "score" not in name]
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["task_type"], "score" in config["modules_to_save"]) == ("SEQ_CLS", True)
    labels = json.loads((out / "config.json").read_text(encoding="utf-8"))["id2label"]
    assert labels == {"0": "negative", "1": "positive"}
    again = load_file(tmp_path / "two" / "adapter_model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    base = AutoModelForSequenceClassification.from_pretrained(writer, num_labels=2, trust_remote_code=False)
    model = PeftModel.from_pretrained(base, out)
    assert torch.equal(model.base_model.model.score.modules_to_save["default"].weight, head)


def test_a_method_that_trains_in_its_own_way_takes_no_adapter(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ep trains in its own way"):
        list(plant(request(base, toy_csv, tmp_path / "out", family="ep")))
