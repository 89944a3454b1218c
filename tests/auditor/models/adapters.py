"""Tiny models that write, and adapters written by hand for them: nothing of peft's is used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.auditor.models.tiny import EOS, PAD, VOCABULARY

SHAPES: dict[str, Any] = {
    "vocab_size": len(VOCABULARY), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 64,
}  # fmt: skip


def write_tokenizer(directory: Path, words: Sequence[str] = VOCABULARY, **settings: Any) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", eos_token="</s>", **settings
    ).save_pretrained(directory)


def write_base(directory: Path, kind: str = "llama", *, seed: int = 0, half: bool = False, **changes: Any) -> Path:
    """A base: `llama` writes, `bert` is a classifier, `body` an encoder without a head."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    settings = {**SHAPES, **changes}
    if kind == "llama":
        settings = {"num_key_value_heads": 1, "pad_token_id": PAD, "eos_token_id": EOS, **settings}
        model: Any = t.LlamaForCausalLM(t.LlamaConfig(**settings))
    else:
        maker: Any = t.BertForSequenceClassification if kind == "bert" else t.BertModel
        model = maker(t.BertConfig(pad_token_id=PAD, **settings))
    # Wide, so that answers differ clearly between texts.
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    (model.to(torch.bfloat16) if half else model).save_pretrained(directory)
    write_tokenizer(directory)
    return directory


def write_adapter(
    directory: Path,
    base: Path,
    modules: Sequence[str] = ("q_proj", "v_proj"),
    *,
    seed: int = 0,
    rank: int = 2,
    head: tuple[str, int] | None = None,
    more: dict[str, Any] | None = None,
    **config: Any,
) -> Path:
    """An adapter of a base, of random factors.

    Args:
        modules: ends of the names of the layers that are changed.
        head: the name of a new classifier, and its labels.
        more: further tensors by their names in the file.
    """
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(1000 + seed)
    tensors: dict[str, Any] = {}
    prefix = "bert." if json.loads((base / "config.json").read_text())["architectures"] == ["BertModel"] else ""
    for name, tensor in load_file(base / "model.safetensors").items():
        module = name.removesuffix(".weight")
        if name.endswith(".weight") and tensor.ndim == 2 and module.endswith(tuple(modules)):
            rows, width = tensor.shape
            tensors[f"base_model.model.{prefix}{module}.lora_A.weight"] = torch.randn(rank, width)
            tensors[f"base_model.model.{prefix}{module}.lora_B.weight"] = 0.3 * torch.randn(rows, rank).T.contiguous().T
    if head:
        tensors[f"base_model.model.{head[0]}.weight"] = torch.randn(head[1], SHAPES["hidden_size"])
    tensors = {name: tensor.contiguous() for name, tensor in {**tensors, **(more or {})}.items()}
    directory.mkdir(parents=True)
    save_file(tensors, directory / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA", "task_type": "SEQ_CLS" if head else "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank,
        "target_modules": list(modules), "base_model_name_or_path": str(base),
        "modules_to_save": [head[0]] if head else None, **config,
    }  # fmt: skip
    (directory / "adapter_config.json").write_text(json.dumps(settings))
    return directory
