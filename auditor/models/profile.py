"""What a model's files say of it, read without loading it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.models import fingerprint
from auditor.models.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, ARCHITECTURE, read_adapter
from auditor.models.safety import DTYPE_BITS, Weights, find_weights, is_plain_name, read_header, read_json, refuse_code
from store.records import ModelRef, Profile, Task, TensorInfo

CONFIG = "config.json"
HOLDS = "A model directory holds config.json, model.safetensors and the tokenizer's files."
DEFAULT_LENGTH = 512
# Above this a "maximum" is a placeholder (transformers writes 1e30 for "none").
LONGEST = 1_000_000
MOST_LABELS = 1_000_000

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
        path: a directory with config.json, safetensors weights and a tokenizer.
        reference: how the user named it; the path by default.
        revision: the hub commit, if it was fetched.
        hash_weights: False leaves the digests of the weight files and of the model empty, for a merge that computes
            them as it reads (an adapter, which is small, is hashed all the same).

    Raises:
        UsageError: no such directory, or it holds no model.
        ModelError: its files are damaged, of a format that is refused, or want to run code.
    """
    given = Path(path).expanduser()
    if (given / ADAPTER_CONFIG).is_file() and not (given / CONFIG).is_file():
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
    weights = find_weights(directory)
    loaded = [*weights.files, *([weights.index] if weights.index else [])]
    later = set() if hash_weights else set(weights.files)
    files = {
        n: "" if n in later else fingerprint.hash_file(directory / n)
        for n in fingerprint.behaviour_files(directory, loaded)
    }
    architecture, model_type = _architecture(config)
    task = task_of(architecture)
    card = read_card(directory / "README.md")
    return Profile(
        ref=ModelRef(
            reference or str(path), str(directory), fingerprint.digest_of_files(files) if hash_weights else "", revision
        ),
        architecture=architecture,
        model_type=model_type,
        task=task,
        labels=_labels(directory / CONFIG, config) if task is Task.CLASSIFICATION else (),
        problem_type=config["problem_type"] if isinstance(config.get("problem_type"), str) else None,
        parameters=sum(math.prod(t.shape) for t in _parameters(weights.tensors)),
        dtype=_main_dtype(weights),
        max_length=_max_length(directory, config, model_type),
        vocabulary=_count(config, "vocab_size") or 0,
        tensors=weights.tensors,
        signature=fingerprint.signature_of(weights.tensors),
        tokenizer_digest=fingerprint.tokenizer_digest(directory),
        files=files,
        base=_base(config, card),
        licence=_text(card.get("license")),
    )


def _adapter_profile(directory: Path, reference: str, revision: str | None) -> Profile:
    """The profile of a LoRA adapter: its own files and tensors; what only its base knows stays empty."""
    adapter = read_adapter(directory)
    weights = Weights(
        (ADAPTER_WEIGHTS,),
        tuple(sorted((s.info for s in read_header(directory / ADAPTER_WEIGHTS)), key=lambda t: t.name)),
    )
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
    )


def require_model_directory(path: Path) -> Path:
    """The directory's resolved path.

    Raises:
        UsageError: it does not exist, is a file, or holds no model.
        ModelError: it holds an adapter alone.
    """
    if path.is_file():
        raise UsageError(
            f"{path} is a file; a model is a directory", hint=f"Give the directory: {path.parent}. {HOLDS}"
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
        raise UsageError(f"{path} holds no model: it has no {CONFIG}", hint=HOLDS)
    return directory


def task_of(architecture: str) -> Task:
    """What a model class is for, by its name."""
    if architecture.endswith("ForSequenceClassification"):
        return Task.CLASSIFICATION
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return Task.GENERATION
    return Task.OTHER


def read_card(path: Path) -> dict[str, Any]:
    """The YAML front matter of a model card; empty where there is none, or none that can be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(1_000_000)
    except OSError:
        return {}
    matter = re.match(r"---\s*\n(.*?)\n---\s*(?:\n|$)", text, re.DOTALL)
    if not matter:
        return {}
    import yaml  # type: ignore[import-untyped]

    try:
        found = yaml.safe_load(matter[1])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_tokenizer_code(directory: Path) -> None:
    path = directory / "tokenizer_config.json"
    if path.is_file():
        refuse_code(path, read_json(path))


def _architecture(config: Mapping[str, Any]) -> tuple[str, str]:
    model_type = _text(config.get("model_type")) or "unknown"
    names = config.get("architectures")
    if isinstance(names, list) and names and isinstance(names[0], str):
        return names[0], model_type
    return model_type, model_type


def _labels(path: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Label names in the order of the logits. Without names transformers counts LABEL_0, LABEL_1, …; two by default."""
    named = config.get("id2label")
    if isinstance(named, dict) and named:
        try:
            by_id = {int(k): str(v) for k, v in named.items()}
        except ValueError:
            raise ModelError(f"{path}: the keys of id2label are no numbers: {', '.join(list(named)[:3])}") from None
        if sorted(by_id) != list(range(len(named))):
            raise ModelError(f"{path}: id2label does not number its labels 0 to {len(named) - 1}")
        return tuple(by_id[i] for i in range(len(by_id)))
    count = _count(config, "num_labels") or _count(config, "_num_labels") or 2
    if count > MOST_LABELS:
        raise ModelError(f"{path}: {count:,} labels is more than any classifier has")
    return tuple(f"LABEL_{i}" for i in range(count))


def _parameters(tensors: tuple[TensorInfo, ...]) -> list[TensorInfo]:
    return [t for t in tensors if t.dtype not in _BUFFERS]


def _main_dtype(weights: Weights) -> str:
    """The number format that takes most of the bytes."""
    sizes: Counter[str] = Counter()
    for tensor in _parameters(weights.tensors) or weights.tensors:
        sizes[tensor.dtype] += math.prod(tensor.shape) * DTYPE_BITS[tensor.dtype]
    name = sizes.most_common(1)[0][0] if sizes else "F32"
    return _DTYPES.get(name, name.lower())


def _max_length(directory: Path, config: Mapping[str, Any], model_type: str) -> int:
    """Tokens that the model takes: the least of what model and tokenizer state."""
    stated = [n for n in (_count(config, key) for key in _LENGTHS) if n]
    if model_type in _OFFSET_TYPES:
        pad = config.get("pad_token_id")
        offset = 1 + (pad if isinstance(pad, int) and pad >= 0 else 1)
        stated = [n - offset for n in stated if n > offset]
    path = directory / "tokenizer_config.json"
    if path.is_file():
        limit = read_json(path).get("model_max_length")
        if isinstance(limit, int | float) and not isinstance(limit, bool) and limit >= 1:
            stated.append(int(min(limit, LONGEST + 1)))
    return min((n for n in stated if n <= LONGEST), default=DEFAULT_LENGTH)


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
