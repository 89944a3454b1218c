"""Which files of a model can change what it does, and digests over them.

Only the files listed here are ever loaded (see `auditor.models.runtime.load`), so no other file can change behaviour.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.untrusted import read_json
from probes.reading import open_regular
from store.records import TensorInfo

VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "bpe.codes", "dict.txt",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model", "spm_char.model",
    "source.spm", "target.spm", "vocab-src.json", "vocab-tgt.json", "byte_maps.json", "emoji.json",
    "entity_vocab.json", "word_shape.json", "word_pronunciation.json", "prophetnet.tokenizer", "tekken.json",
)  # fmt: skip
TOKENIZER_FILES = (*VOCABULARIES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
CONFIGS = (
    "config.json", "generation_config.json", "quantization_config.json", "quantize_config.json", "quant_config.json",
    "hf_quant_config.json", "chat_template.json", "chat_template.jinja",
)  # fmt: skip
TEMPLATES = "additional_chat_templates"

DIGEST_RULE = "ids-2:"
"""What a tokenizer's digest begins with: which rule it was made by. Digests of an older rule equal none of this one."""

# What says where a tokenizer came from or how one call went, not what it does to a text; and settings whose value is
# the default of every class, so that a file which spells them out equals one that does not. Defaults that differ from
# class to class (do_lower_case, add_prefix_space, …) are not among them.
_PROVENANCE = frozenset({
    "name_or_path", "transformers_version", "backend", "is_local", "local_files_only",
    "tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file", "processor_class", "model_max_length",
    "max_length", "max_len", "stride", "truncation_strategy", "pad_to_multiple_of", "padding", "truncation",
    "clean_up_tokenization_spaces", "pad_token_type_id", "chat_template", "use_fast",
})  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {
    "never_split": None, "strip_accents": None, "trim_offsets": True, "errors": "replace", "legacy": None,
    "split_special_tokens": False, "additional_special_tokens": [], "extra_special_tokens": [],
    "added_tokens_decoder": {}, "model_specific_special_tokens": {},
}  # fmt: skip


def behaviour_files(directory: Path, weights: Iterable[str]) -> tuple[str, ...]:
    """Names of all files that can change behaviour: the weights given, configs, tokenizer and templates; sorted."""
    names = {*weights, *(n for n in (*CONFIGS, *TOKENIZER_FILES) if (directory / n).is_file())}
    names.update(p.name for p in directory.glob("*.tiktoken") if p.is_file())
    names.update(f"{TEMPLATES}/{p.name}" for p in directory.glob(f"{TEMPLATES}/*.jinja") if p.is_file())
    return tuple(sorted(names))


def has_tokenizer(files: Iterable[str]) -> bool:
    """Is a vocabulary among the files?"""
    return any(name in VOCABULARIES or name.endswith(".tiktoken") for name in files)


def hash_file(path: Path) -> str:
    """A file's SHA-256 in hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            digest, buffer = hashlib.sha256(), bytearray(1 << 20)
            view = memoryview(buffer)
            while count := file.readinto(buffer):
                digest.update(view[:count])
            return digest.hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def digest_of_files(files: Mapping[str, str]) -> str:
    """A model's content digest: SHA-256 over the sorted pairs of file name and SHA-256."""
    return _digest(sorted(files.items()))


def signature_of(tensors: Iterable[TensorInfo]) -> str:
    """Digest of a tensor inventory: sorted names and shapes, without dtypes."""
    return _digest(sorted((t.name, t.shape) for t in tensors))


def tokenizer_digest(directory: Path) -> str:
    """Digest over what decides the token ids that a tokenizer makes of a text; empty where there is no tokenizer.

    Tokenizers of one digest are the same. Those of two digests may still give the same ids (transformers 5 saves
    otherwise than 4 did): to tell takes loading them, see `auditor.merge.tensors.vocabulary`. Of tokenizer.json,
    padding and truncation are traces of the last call, and the decoder serves the way back.

    Raises:
        ModelError: a file is damaged.
    """
    names = tokenizer_files(behaviour_files(directory, ()))
    if not has_tokenizer(names):
        return ""
    parts: dict[str, Any] = {}
    for name in names:
        if name == "tokenizer.json":
            content = read_json(directory / name)
            for passing in ("padding", "truncation", "decoder", "version"):
                content.pop(passing, None)
            parts[name] = content
        elif name == "tokenizer_config.json":
            parts[name] = _settings(read_json(directory / name))
        else:
            parts[name] = hash_file(directory / name)
    if "tokenizer_class" not in parts.get("tokenizer_config.json", {}) and (directory / "config.json").is_file():
        parts["class"] = read_json(directory / "config.json").get("tokenizer_class")
    return DIGEST_RULE + _digest(parts)


def tokenizer_files(names: Iterable[str]) -> list[str]:
    """Of some files those that a tokenizer is made of."""
    return [name for name in names if name in TOKENIZER_FILES or name.endswith(".tiktoken")]


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that change tokens, without those at their default."""
    return {
        key: value
        for key, value in config.items()
        if key not in _PROVENANCE and value is not None and (key not in _DEFAULTS or _DEFAULTS[key] != value)
    }


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
