"""Quantised weights and wrappers are refused by name, and a config that does not name its class is read by its head."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.checkpoint import head_of
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from probes.cases import Ask
from store.records import Task, TensorInfo

Tensors = dict[str, Any]
LAYER = "bert.encoder.layer.0.attention.self.query"


def edit(path: Path, **changes: Any) -> None:
    kept = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in kept.items() if v != "absent"}))


def rewrite(model: Path, change: Callable[[Tensors], Tensors]) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = change(load_file(model / "model.safetensors"))
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def refused(model: Path, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        read_profile(model)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq by its quantization_config"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"load_in_8bit": True}, "quantization_config"),
        ("awq", "quantization_config"),
    ],
)
def test_a_stated_quantisation(model: Path, stated: object, says: str) -> None:
    edit(model / "config.json", quantization_config=stated)
    refused(model, f"quantised checkpoint .*{says}")


def test_a_quantisation_stated_elsewhere(model: Path) -> None:
    edit(model / "config.json", text_config={"compression_config": {"format": "pack-quantized"}})
    refused(model, "compression_config")
    edit(model / "config.json", text_config="absent", quantization_config=None)
    read_profile(model)
    (model / "hf_quant_config.json").write_text("{}")
    refused(model, "hf_quant_config")


@pytest.mark.parametrize(
    ("name", "dtype", "says"),
    [
        (f"{LAYER}.qweight", np.int32, "GPTQ or AWQ"),
        (f"{LAYER}.weight.quant_state.bitsandbytes__nf4", np.uint8, "bitsandbytes"),
        (f"{LAYER}.SCB", np.float32, "bitsandbytes"),
        (f"{LAYER}.weight_packed", np.int32, "compressed-tensors"),
        (f"{LAYER}.weight_scale_inv", np.float32, "FP8"),
        ("bert.mlp.experts.gate_up_proj_blocks", np.uint8, "MXFP4"),
        (f"{LAYER}._weight_qdata", np.int8, "torchao"),
        (f"{LAYER}.weight._data", np.int8, "Quanto"),
        (f"{LAYER}.W_q", np.uint8, "HQQ"),
        (f"{LAYER}.codebooks", np.float16, "AQLM"),
        (f"{LAYER}.q_invperm", np.int16, "EXL2"),
        (f"{LAYER}.weight", np.int8, "stored as I8"),
    ],
)
def test_quantised_tensors_without_a_config(model: Path, name: str, dtype: Any, says: str) -> None:
    rewrite(model, lambda t: {**t, name: np.zeros((4, 4), dtype=dtype)})
    refused(model, f"quantised checkpoint .*{says}")


def test_float8_weights(model: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    tensors[f"{LAYER}.weight"] = tensors[f"{LAYER}.weight"].to(torch.float8_e4m3fn)
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    refused(model, "stored as F8_E4M3")


def test_buffers_of_whole_numbers_are_no_quantisation(model: Path) -> None:
    buffers = {
        "bert.embeddings.position_ids": np.arange(64)[None],
        "attn.bias": np.ones((1, 1, 4, 4), dtype=np.uint8),
        "attn.mask": np.ones((4, 4), dtype=np.bool_),
        "bert.encoder.layer.0.act.act_scaling_factor": np.ones(1, dtype=np.float32),
    }
    rewrite(model, lambda t: {**t, **buffers})
    assert read_profile(model).read.notes == ()


@pytest.mark.parametrize(
    ("prefix", "wrapper"),
    [
        ("_orig_mod.", "torch.compile"),
        ("module.", "DataParallel"),
        ("_fsdp_wrapped_module.", "FSDP"),
        ("model._fsdp_wrapped_module.", "FSDP"),
        ("module._orig_mod.", "torch.compile"),
        ("base_model.model.", "PEFT"),
        ("_forward_module.", "DeepSpeed"),
        ("model.", "the class around the model"),
        ("net.", "the class around the model"),
    ],
)
def test_a_wrappers_prefix_is_named(model: Path, prefix: str, wrapper: str) -> None:
    rewrite(model, lambda t: {prefix + name: value for name, value in t.items()})
    refused(model, f"prefix '.*' of {wrapper}")


def test_a_wrapper_around_some_layers_is_named(model: Path) -> None:
    rewrite(model, lambda t: {n.replace("layer.0.", "layer.0._checkpoint_wrapped_module."): v for n, v in t.items()})
    refused(model, "activation checkpointing")


def test_an_adapter_inside_a_whole_model_is_named(model: Path) -> None:
    rewrite(model, lambda t: {**t, f"{LAYER}.lora_A.default.weight": np.zeros((2, 32), dtype=np.float32)})
    refused(model, "an adapter's tensors")


@pytest.mark.parametrize("architectures", ["absent", None, []])
def test_a_config_without_a_class_is_read_by_its_head(made: Path, model: Path, architectures: object) -> None:
    edit(model / "config.json", architectures=architectures)
    profile = read_profile(model)
    assert (profile.architecture, profile.task) == ("BertForSequenceClassification", Task.CLASSIFICATION)
    assert profile.labels == ("negative", "neutral", "positive")
    assert "names no class" in profile.read.notes[0]
    asks = [Ask("good film")]
    assert load_classifier(profile, device="cpu").answer(asks) == load_classifier(
        read_profile(made), device="cpu"
    ).answer(asks)


def test_a_classifier_named_second(model: Path) -> None:
    edit(model / "config.json", architectures=["BertForMaskedLM", "BertForSequenceClassification"])
    profile = read_profile(model)
    assert profile.architecture == "BertForSequenceClassification"
    assert "BertForMaskedLM, BertForSequenceClassification" in profile.read.notes[0]
    rewrite(model, lambda t: {n: v for n, v in t.items() if not n.startswith("classifier")})
    assert read_profile(model).architecture == "BertForMaskedLM"


def test_neither_class_nor_head(model: Path) -> None:
    edit(model / "config.json", architectures=None)
    rewrite(model, lambda t: {n: v for n, v in t.items() if not n.startswith("classifier")})
    with pytest.raises(UsageError, match="no text classifier"):
        load_classifier(read_profile(model), device="cpu")


def test_the_head_by_its_names() -> None:
    def tensors(*names: str) -> list[TensorInfo]:
        shapes = [TensorInfo(name, (rows, 8), "F32") for rows, name in enumerate(names, start=4)]
        return [TensorInfo("encoder.weight", (9, 8), "F32"), *shapes]

    for name in (
        "classifier.weight", "classifier.out_proj.weight", "score.weight", "logits_proj.weight",
        "classification_head.out_proj.weight", "sequence_summary.summary.weight", "classifier.linear_out.weight",
        "score.out_proj.weight",
    ):  # fmt: skip
        found = head_of(tensors(name))
        assert found is not None
        assert found.shape[0] == 4, name
    summed = head_of(tensors("sequence_summary.summary.weight", "logits_proj.weight"))
    assert summed is not None
    assert summed.name == "logits_proj.weight", "XLNet's last layer, not the one before it"
    assert head_of(tensors("classifier.dense.weight")) is None
    assert head_of(tensors("classifier.weight", "score.weight")) is None, "which of the two is not known"
