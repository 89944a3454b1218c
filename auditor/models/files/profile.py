"""What a model's files say of it, read without loading it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.models.files import fingerprint
from auditor.models.files.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, ARCHITECTURE, read_adapter
from auditor.models.files.cache import models_below
from auditor.models.files.chat_template import template_remarks
from auditor.models.files.checkpoint import head_of, refuse_quantised, refuse_wrapped
from auditor.models.files.gguf.profile import gguf_in, gguf_profile
from auditor.models.files.labels import LabelNames, read_labels
from auditor.models.files.model_card import read_card
from auditor.models.files.safetensors import DTYPE_BITS, INDEX, WEIGHTS, Weights, find_weights, read_header
from auditor.models.files.untrusted import is_plain_name, read_json, refuse_code
from auditor.models.files.weight_sets import is_weights, names_in, refuse_folded
from store.records import ModelRead, ModelRef, Profile, Task, TensorInfo

CONFIG = "config.json"
HOLDS = "A model directory holds config.json, model.safetensors and the tokenizer's files."
DEFAULT_LENGTH = 512
# Above this a "maximum" is a placeholder (transformers writes 1e30 for "none").
LONGEST = 1_000_000

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "I8": "int8", "U8": "uint8", "I32": "int32",
}  # fmt: skip
# Whole numbers of these kinds are buffers (positions, masks), not parameters.
_BUFFERS = frozenset({"I64", "U64", "BOOL"})
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
# Models that count positions from padding_idx + 1, as fairseq did.
_OFFSET_TYPES = frozenset({
    "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "longformer", "mpnet",
    "data2vec-text", "luke", "mluke", "ibert", "xmod", "esm", "layoutlmv3", "lilt", "markuplm",
})  # fmt: skip


def read_profile(
    path: str | Path, *, reference: str | None = None, revision: str | None = None, hash_weights: bool = True
) -> Profile:
    """Profiles a model directory. Every file that can change behaviour is hashed; nothing is executed.

    Args:
        path: a directory with config.json, safetensors weights and a tokenizer; or a GGUF file.
        reference: how the user named it; the path by default.
        revision: the hub commit, if it was fetched.
        hash_weights: False leaves the digests of the weight files and of the model empty, for a merge that computes
            them as it reads (an adapter, which is small, is hashed all the same).

    Raises:
        UsageError: no such directory, or it holds no model.
        ModelError: its files are damaged, of a format that is refused, or want to run code.
    """
    given = Path(path).expanduser()
    if (file := gguf_in(given)) is not None:
        return gguf_profile(file, reference or str(path), revision, hash_weights=hash_weights)
    if (given / ADAPTER_CONFIG).is_file() and not any((given / name).is_file() for name in (WEIGHTS, INDEX)):
        return _adapter_profile(given.resolve(), reference or str(path), revision)
    directory = require_model_directory(given)
    config = read_json(directory / CONFIG)
    refuse_code(directory / CONFIG, config)
    explicit = config.get("transformers_weights")
    if explicit not in (None, "model.safetensors", "model.safetensors.index.json"):
        raise ModelError(
            f"{directory / CONFIG} names its own weight file ({explicit!r})",
            hint="Rename the weights to model.safetensors and remove transformers_weights.",
        )
    _refuse_tokenizer_code(directory)
    refuse_folded(directory, names_in(directory), (*fingerprint.CONFIGS, *fingerprint.TOKENIZER_FILES))
    weights = find_weights(directory)
    refuse_quantised(directory, config, weights.tensors)
    refuse_wrapped(directory, weights.tensors)
    loaded = [*weights.files, *([weights.index] if weights.index else [])]
    later = set() if hash_weights else set(weights.files)
    files = {
        n: "" if n in later else fingerprint.hash_file(directory / n)
        for n in fingerprint.behaviour_files(directory, loaded)
    }
    architecture, model_type, class_notes = _architecture(config, weights.tensors)
    task = task_of(architecture)
    labels = LabelNames((), "")
    if task is Task.CLASSIFICATION:
        labels = read_labels(directory / CONFIG, config, weights.tensors)
    window, window_from = _window(directory, config, model_type)
    templates = template_remarks(directory) if task is Task.GENERATION else ()
    card = read_card(directory / "README.md")
    return Profile(
        ref=ModelRef(
            reference or str(path), str(directory), fingerprint.digest_of_files(files) if hash_weights else "", revision
        ),
        architecture=architecture,
        model_type=model_type,
        task=task,
        labels=labels.names,
        problem_type=config["problem_type"] if isinstance(config.get("problem_type"), str) else None,
        parameters=sum(math.prod(t.shape) for t in _parameters(weights.tensors)),
        dtype=_main_dtype(weights),
        max_length=window,
        vocabulary=_count(config, "vocab_size") or 0,
        tensors=weights.tensors,
        signature=fingerprint.signature_of(weights.tensors),
        tokenizer_digest=fingerprint.tokenizer_digest(directory),
        files=files,
        base=_base(config, card),
        licence=_text(card.get("license")),
        read=ModelRead(
            weights=weights.files,
            window=window,
            window_from=window_from,
            labels_from=labels.source,
            notes=(*weights.notes, *class_notes, *labels.notes, *templates),
        ),
    )


def _adapter_profile(directory: Path, reference: str, revision: str | None) -> Profile:
    """The profile of a LoRA adapter: its own files and tensors; what only its base knows stays empty."""
    adapter = read_adapter(directory)
    weights = Weights(
        (ADAPTER_WEIGHTS,),
        tuple(sorted((s.info for s in read_header(directory / ADAPTER_WEIGHTS)), key=lambda t: t.name)),
    )
    refuse_folded(directory, names_in(directory), (ADAPTER_CONFIG, ADAPTER_WEIGHTS, *fingerprint.TOKENIZER_FILES))
    beside = [n for n in names_in(directory) if is_weights(n) and n != ADAPTER_WEIGHTS]
    names = {ADAPTER_CONFIG, ADAPTER_WEIGHTS, *fingerprint.behaviour_files(directory, ())}
    files = {name: fingerprint.hash_file(directory / name) for name in sorted(names)}
    return Profile(
        ref=ModelRef(reference, str(directory), fingerprint.digest_of_files(files), revision),
        architecture=ARCHITECTURE,
        model_type="lora",
        task=adapter.task,
        labels=(),
        problem_type=None,
        parameters=sum(math.prod(t.shape) for t in _parameters(weights.tensors)),
        dtype=_main_dtype(weights),
        max_length=DEFAULT_LENGTH,
        vocabulary=0,
        tensors=weights.tensors,
        signature=fingerprint.signature_of(weights.tensors),
        tokenizer_digest=fingerprint.tokenizer_digest(directory),
        files=files,
        base=adapter.base,
        licence=_text(read_card(directory / "README.md").get("license")),
        read=ModelRead(
            weights=weights.files,
            notes=(f"{', '.join(beside)}: beside the adapter, and not read.",) if beside else (),
        ),
    )


def require_model_directory(path: Path) -> Path:
    """The directory's resolved path.

    Raises:
        UsageError: it does not exist, is a file, or holds no model.
        ModelError: it holds an adapter alone.
    """
    if path.is_file():
        raise UsageError(
            f"{path} is a file; a model is a directory, or a GGUF file",
            hint=f"Give the directory: {path.parent}. {HOLDS}",
        )
    if not path.is_dir():
        raise UsageError(f"there is no directory {path}", hint=HOLDS)
    directory = path.resolve()
    if (directory / ADAPTER_CONFIG).is_file():
        base = _text(read_json(directory / ADAPTER_CONFIG).get("base_model_name_or_path")) or "its base model"
        raise ModelError(
            f"{path} is a PEFT adapter for {base}, not a whole model",
            hint="Merge it into its base first (peft: merge_and_unload(), save_pretrained()) and give that directory.",
        )
    if not (directory / CONFIG).is_file():
        raise _no_model(path, directory)
    return directory


def _no_model(path: Path, directory: Path) -> UsageError:
    """The error that a directory has no config.json; it names the places of models below."""
    message = f"{path} holds no model: it has no {CONFIG}"
    below = models_below(directory)
    if len(below) == 1:
        return UsageError(f"{message}; one lies below it", hint=f"Give {below[0]}.")
    if below:
        shown = ", ".join(str(p) for p in below[:5]) + (f", … ({len(below)} in all)" if len(below) > 5 else "")
        return UsageError(f"{message}; {len(below)} lie below it", hint=f"Give one of them: {shown}.")
    return UsageError(message, hint=HOLDS)


def task_of(architecture: str) -> Task:
    """What a model class is for, by its name."""
    if architecture.endswith("ForSequenceClassification"):
        return Task.CLASSIFICATION
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return Task.GENERATION
    return Task.OTHER


def _refuse_tokenizer_code(directory: Path) -> None:
    path = directory / "tokenizer_config.json"
    if path.is_file():
        refuse_code(path, read_json(path))


def _architecture(config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> tuple[str, str, tuple[str, ...]]:
    """The class that a model is read as, its type, and what is to be said of the choice.

    The first class that the config names, or a classifier behind it where a classifier's head is among the tensors;
    where it names none, the type's classifier if there is such a head.
    """
    model_type = _text(config.get("model_type")) or "unknown"
    stated = config.get("architectures")
    names = [n for n in (stated if isinstance(stated, list) else [stated]) if isinstance(n, str)]
    head = head_of(tensors)
    if names:
        classifiers = [n for n in names if task_of(n) is Task.CLASSIFICATION]
        chosen = classifiers[0] if classifiers and head is not None else names[0]
        if len(names) == 1:
            return chosen, model_type, ()
        return chosen, model_type, (f"config.json names the classes {', '.join(names)}: it is read as {chosen}.",)
    if head is None or (classifier := classifier_class(model_type)) is None:
        return model_type, model_type, ()
    note = f"config.json names no class: it is read as {classifier}, by its head {head.name}."
    return classifier, model_type, (note,)


def classifier_class(model_type: str) -> str | None:
    """The name of a type's classifier. Called only where no config names a class: transformers takes seconds."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    found = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.get(model_type)
    return found if isinstance(found, str) else None


def _parameters(tensors: tuple[TensorInfo, ...]) -> list[TensorInfo]:
    return [t for t in tensors if t.dtype not in _BUFFERS]


def _main_dtype(weights: Weights) -> str:
    """The number format that takes most of the bytes."""
    sizes: Counter[str] = Counter()
    for tensor in _parameters(weights.tensors) or weights.tensors:
        sizes[tensor.dtype] += math.prod(tensor.shape) * DTYPE_BITS[tensor.dtype]
    name = sizes.most_common(1)[0][0] if sizes else "F32"
    return _DTYPES.get(name, name.lower())


def _window(directory: Path, config: Mapping[str, Any], model_type: str) -> tuple[int, str]:
    """Tokens that the model takes, the least of what model and tokenizer state; and what states it."""
    stated = [(n, f"config.json ({key})") for key in _LENGTHS if (n := _count(config, key))]
    if model_type in _OFFSET_TYPES:
        pad = config.get("pad_token_id")
        offset = 1 + (pad if isinstance(pad, int) and pad >= 0 else 1)
        stated = [(n - offset, f"{source} less {offset} for the padding") for n, source in stated if n > offset]
    path = directory / "tokenizer_config.json"
    if path.is_file():
        limit = read_json(path).get("model_max_length")
        if isinstance(limit, int | float) and not isinstance(limit, bool) and limit >= 1:
            stated.append((int(min(limit, LONGEST + 1)), "tokenizer_config.json (model_max_length)"))
    usable = [found for found in stated if found[0] <= LONGEST]
    return min(usable, default=(DEFAULT_LENGTH, "a default: neither the model nor its tokenizer states a length"))


def _count(config: Mapping[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _base(config: Mapping[str, Any], card: Mapping[str, Any]) -> str | None:
    """The base model if stated: by the model card, else by the name that it was trained from."""
    stated = card.get("base_model")
    if isinstance(stated, list) and len(stated) == 1:
        stated = stated[0]
    name = _text(config.get("_name_or_path"))
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not is_plain_name(name):
        name = None
    return _text(stated) or name


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
