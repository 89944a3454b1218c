"""A GGUF file as a profile, from its metadata."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from auditor.errors import ModelError
from auditor.models.files import fingerprint
from auditor.models.files.gguf.reader import SUFFIX, GgufHeader, read_gguf
from auditor.models.files.weight_sets import is_weights
from store.records import ModelRead, ModelRef, Profile, Task, TensorInfo

DEFAULT_LENGTH = 512
CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType({
    "bloom": ("BloomForCausalLM", "bloom"),
    "falcon": ("FalconForCausalLM", "falcon"),
    "gemma2": ("Gemma2ForCausalLM", "gemma2"),
    "gemma3": ("Gemma3ForCausalLM", "gemma3_text"),
    "gpt-oss": ("GptOssForCausalLM", "gpt_oss"),
    "gpt2": ("GPT2LMHeadModel", "gpt2"),
    "lfm2": ("Lfm2ForCausalLM", "lfm2"),
    "llama": ("LlamaForCausalLM", "llama"),
    "mamba": ("MambaForCausalLM", "mamba"),
    "mistral": ("MistralForCausalLM", "mistral"),
    "nemotron": ("NemotronForCausalLM", "nemotron"),
    "phi3": ("Phi3ForCausalLM", "phi3"),
    "qwen2": ("Qwen2ForCausalLM", "qwen2"),
    "qwen2moe": ("Qwen2MoeForCausalLM", "qwen2_moe"),
    "qwen3": ("Qwen3ForCausalLM", "qwen3"),
    "qwen3moe": ("Qwen3MoeForCausalLM", "qwen3_moe"),
    "stablelm": ("StableLmForCausalLM", "stablelm"),
    "starcoder2": ("Starcoder2ForCausalLM", "starcoder2"),
})  # fmt: skip
"""The architectures that transformers reads from GGUF and that write: their classes and types there."""
TOKENS = "tokenizer.ggml.tokens"
TEMPLATE = "tokenizer.chat_template"
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
WHOLE = "Give the safetensors that the file was converted from."


def gguf_in(path: Path) -> Path | None:
    """The GGUF file that a path means: itself, or the only weights in a directory. None: neither."""
    if path.is_file():
        return path.resolve() if path.name.casefold().endswith(SUFFIX) else None
    if not path.is_dir():
        return None
    weights = [file for file in path.iterdir() if is_weights(file.name) and file.is_file()]
    if len(weights) != 1 or not weights[0].name.casefold().endswith(SUFFIX):
        return None
    return weights[0].resolve()


def is_gguf(profile: Profile) -> bool:
    """Whether a profile is that of a GGUF file; then its path is the file's."""
    return any(name.casefold().endswith(SUFFIX) for name in profile.files)


def gguf_profile(path: Path, reference: str, revision: str | None, *, hash_weights: bool = True) -> Profile:
    """The profile of a GGUF file.

    Args:
        hash_weights: False leaves the digests empty.

    Raises:
        ModelError: it is damaged, a part of a model, or of a kind that cannot be loaded.
    """
    header = read_gguf(path)
    data = header.metadata
    architecture, model_type = _class_of(path, header)
    name = _text(data, "general.architecture")
    sizes: Counter[str] = Counter()
    for tensor in header.tensors:
        sizes[tensor.format] += tensor.end - tensor.begin
    formats = [called for called, _ in sizes.most_common()]
    length, stated = _count(data, f"{name}.context_length"), f"{path.name} ({name}.context_length)"
    tensors = tuple(sorted((TensorInfo(t.name, t.shape, t.format) for t in header.tensors), key=lambda t: t.name))
    files = {path.name: fingerprint.hash_file(path) if hash_weights else ""}
    tokens = data.get(TOKENS)
    notes = [
        f"{path.name} is a GGUF file, its weights stored as {', '.join(formats)}. They are converted to the numbers "
        "that the model is asked in; llama.cpp and others that run the file as it is compute with the stored ones and "
        "round otherwise, so they may answer otherwise."
    ]
    if TEMPLATE not in data:
        notes.append("The file has no chat template.")
    return Profile(
        ref=ModelRef(reference, str(path), fingerprint.digest_of_files(files) if hash_weights else "", revision),
        architecture=architecture,
        model_type=model_type,
        task=Task.GENERATION,
        labels=(),
        problem_type=None,
        parameters=sum(math.prod(t.shape) for t in tensors),
        dtype=formats[0],
        max_length=length or DEFAULT_LENGTH,
        vocabulary=len(tokens) if isinstance(tokens, tuple) else _count(data, f"{name}.vocab_size") or 0,
        tensors=tensors,
        signature=fingerprint.signature_of(tensors),
        tokenizer_digest=_tokenizer(data) if isinstance(tokens, tuple) and tokens else "",
        files=files,
        base=_base(data),
        licence=_text(data, "general.license") or None,
        read=ModelRead(
            weights=(path.name,),
            window=length or DEFAULT_LENGTH,
            window_from=stated if length else f"a default: {path.name} states no length",
            notes=tuple(notes),
        ),
    )


def chat_template(profile: Profile) -> str | None:
    """The chat template in a GGUF file's metadata.

    Raises:
        ModelError: the file is damaged.
    """
    return _text(read_gguf(Path(profile.ref.path)).metadata, TEMPLATE) or None


def _class_of(path: Path, header: GgufHeader) -> tuple[str, str]:
    data = header.metadata
    name = _text(data, "general.architecture")
    if not name:
        raise ModelError(f"{path} does not say of which architecture it is (general.architecture)", hint=WHOLE)
    if (parts := _count(data, "split.count")) and parts > 1:
        raise ModelError(
            f"{path} is one of {parts} parts of a model", hint="Join them with llama-gguf-split --merge, and give that."
        )
    if _text(data, "general.type") not in ("", "model"):
        raise ModelError(f"{path} holds {_text(data, 'general.type')} weights, not a whole model", hint=WHOLE)
    if name not in CLASSES or not header.tensors:
        what = (
            f"is a GGUF file of the architecture {name!r}; read are {', '.join(sorted(CLASSES))}"
            if header.tensors
            else "holds no tensors"
        )
        raise ModelError(f"{path} {what}", hint=WHOLE)
    return CLASSES[name]


def _tokenizer(data: Mapping[str, Any]) -> str:
    """Digest over what decides the token ids, as far as the file states it."""
    parts = {key: value for key, value in data.items() if key.startswith("tokenizer.") and key != TEMPLATE}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "gguf-1:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _base(data: Mapping[str, Any]) -> str | None:
    """The model that it was made from, if it names one."""
    if _count(data, "general.base_model.count") != 1:
        return None
    place = _text(data, "general.base_model.0.repo_url").rstrip("/")
    name = "/".join(place.rsplit("/", 2)[-2:])
    return name if _NAME.fullmatch(name) else None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def _count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
