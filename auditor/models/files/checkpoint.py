"""What a checkpoint's tensors give away by name, shape and dtype: quantised weights, wrappers, a classifier's head."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from store.records import TensorInfo

HEAD = re.compile(
    r"(^|\.)(classifier|score|logits_proj|classification_head|sequence_summary)"
    r"(\.(out_proj|linear_out|summary))?\.(weight|bias)$"
)
"""The last layer of a sequence classifier, as transformers names it."""

# Whole numbers or eight bits and fewer in a layer's weight; buffers (positions, masks, counts) have other names.
_FEW_BITS = re.compile(r"F[468]_.*|F4")
_WHOLE = frozenset({"I8", "U8", "I16", "U16", "I32", "U32"})
_SCHEMES = (
    ("GPTQ or AWQ", re.compile(r"\.(qweight|qzeros|g_idx)$")),
    ("bitsandbytes", re.compile(r"\.(SCB|absmax|quant_map|quant_state\.[\w.]+|weight_format|nested_absmax)$")),
    ("compressed-tensors", re.compile(r"\.(weight_(packed|zero_point|shape|global_scale|g_idx)|bitmask)$")),
    ("FP8", re.compile(r"\.(weight_scale(_inv)?|input_scale|k_scale|v_scale|weight_scales)$")),
    ("MXFP4", re.compile(r"_proj_(blocks|scales)$")),
    ("torchao", re.compile(r"(\.|_weight:|^)_?weight_(qdata|scale_and_zero|int_data)$|:_data$|_weight_qdata$")),
    ("Quanto", re.compile(r"\.weight\.?_(data|scale|shift)$")),
    ("HQQ", re.compile(r"\.W_q$")),
    ("AQLM", re.compile(r"\.codebooks$")),
    ("EXL2", re.compile(r"\.q_(weight|invperm|scale|groups)$")),
)
_QUANTISED = ("quantization_config", "compression_config")
QUANTISED_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json", "quantization_config.json")

_WRAPPERS = (
    ("_orig_mod.", "torch.compile"),
    ("_fsdp_wrapped_module.", "FSDP"),
    ("_checkpoint_wrapped_module.", "activation checkpointing"),
    ("_forward_module.", "DeepSpeed or Lightning"),
)
# These are whole words of a name at its beginning alone.
_LEADING = (("module.", "DataParallel"), ("base_model.model.", "PEFT"))
_ADAPTER = re.compile(r"\.(lora_[AB]|lora_embedding_[AB]|base_layer|modules_to_save)\.")


def head_of(tensors: Iterable[TensorInfo]) -> TensorInfo | None:
    """The weight of a classifier's last layer (labels × width), None where there is none or more than one size fits."""
    found = [t for t in tensors if HEAD.search(t.name) and t.name.endswith("weight") and len(t.shape) == 2]
    # XLNet has a layer of this name before its last one; XLM and Flaubert end with it.
    found = [t for t in found if "sequence_summary" not in t.name] or found
    if len({t.shape[0] for t in found}) != 1:
        return None
    return min(found, key=lambda t: (t.name.count("."), t.name))


def refuse_quantised(directory: Path, config: Mapping[str, Any], tensors: Iterable[TensorInfo]) -> None:
    """Refuses weights that are stored in other numbers than those that the model computes with.

    Their answers are those of a kernel of the method, on the device that it is made for; they are neither run nor
    merged here.

    Raises:
        ModelError: the config, a file beside it, or the tensors say so.
    """
    why = next(_stated(config), None)
    if why is None:
        why = next((f"by its {name}" for name in QUANTISED_FILES if (directory / name).is_file()), None)
    if why is None:
        why = next(_stored(tensors), None)
    if why is not None:
        raise ModelError(
            f"{directory} is a quantised checkpoint ({why}); only float weights are judged and merged",
            hint="Dequantise first: load it where its method runs, call model.dequantize() where transformers has it, "
            "and save_pretrained(directory); or take the checkpoint that it was quantised from, and say so, since the "
            "quantised one may answer otherwise.",
        )


def _stated(config: Mapping[str, Any]) -> Iterator[str]:
    """What a config, or a part of it (text_config), says of its method."""
    waiting: list[Mapping[str, Any]] = [config]
    while waiting:
        current = waiting.pop()
        for key in _QUANTISED:
            if stated := current.get(key):
                method = stated.get("quant_method") if isinstance(stated, Mapping) else None
                yield f"{method} by its {key}" if isinstance(method, str) else f"by its {key}"
        waiting += [value for value in current.values() if isinstance(value, Mapping)]


def _stored(tensors: Iterable[TensorInfo]) -> Iterator[str]:
    by_dtype = None
    for tensor in tensors:
        for scheme, names in _SCHEMES:
            if names.search(tensor.name):
                yield f"{scheme} by its tensor {tensor.name}"
        few = _FEW_BITS.fullmatch(tensor.dtype) or (tensor.dtype in _WHOLE and tensor.name.endswith("weight"))
        if few and by_dtype is None:
            by_dtype = f"tensor {tensor.name} is stored as {tensor.dtype}"
    if by_dtype:
        yield by_dtype


def refuse_wrapped(directory: Path, tensors: Iterable[TensorInfo]) -> None:
    """Refuses tensors that are saved under a wrapper's names: transformers would find none of them.

    Raises:
        ModelError: there are such names; the message says which wrapper puts them.
    """
    names = [t.name for t in tensors]
    for name in names:
        for part, wrapper in _WRAPPERS:
            if name.startswith(part) or f".{part}" in name:
                raise _wrapped(directory, name, part, wrapper)
        for part, wrapper in _LEADING:
            if name.startswith(part):
                raise _wrapped(directory, name, part, wrapper)
        if _ADAPTER.search(name):
            raise ModelError(
                f"{directory} holds an adapter's tensors inside a whole model ({name})",
                hint="Merge the adapter into its base first (peft: merge_and_unload(), save_pretrained()).",
            )
    # A classifier has its head at the top level; below another name it is an attribute of whatever was saved.
    heads = [n for n in names if HEAD.search(n)]
    first = {n.partition(".")[0] for n in names}
    if heads and len(first) == 1 and not any(HEAD.match(n) for n in heads):
        raise _wrapped(directory, heads[0], f"{first.pop()}.", "the class around the model")


def _wrapped(directory: Path, name: str, part: str, wrapper: str) -> ModelError:
    return ModelError(
        f"{directory}: its tensors carry the prefix {part!r} of {wrapper} ({name}), so that no loader finds them",
        hint="Save the model itself again, not its wrapper: unwrap it (model._orig_mod, model.module, "
        "accelerator.unwrap_model(model)) and call save_pretrained(directory).",
    )
