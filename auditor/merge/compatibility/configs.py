"""Do two models make the same function of their weights? Their configs are compared as transformers resolves them.

A setting may stand in config.json under an older name (`rope_theta`, `rope_scaling`), with its default, or not at all:
what counts is what the model's config class makes of it. Everything that differs counts, unless it is known to leave
the answers alone: settings of training, storage and generation, and settings that no code of the model's type reads.

Loading transformers takes seconds, so configs are resolved only where what the files say differs in a setting that
counts; then each distinct one once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.merge.tensors.tables import changed
from auditor.models.files.adapter import is_adapter
from auditor.models.runtime.architectures import as_read
from probes.reading import parse_json, read_bytes
from store.records import Profile

CONFIG = "config.json"
MAX_CONFIG = 50_000_000
IMMATERIAL = frozenset({
    # Names and versions; the type is compared by itself, the size of the vocabulary by tensors and tokenizers.
    "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "architectures", "model_type",
    "vocab_size", "tokenizer_class", "finetuning_task", "task_specific_params",
    # Labels and the kind of task, which have rules of their own.
    "id2label", "label2id", "num_labels", "_num_labels", "problem_type",
    # How a model is stored and run.
    "dtype", "torch_dtype", "use_bfloat16", "torchscript", "return_dict", "use_return_dict", "use_cache",
    "output_attentions", "output_hidden_states", "chunk_size_feed_forward", "attn_implementation",
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "experts_implementation",
    "_experts_implementation", "_experts_implementation_internal", "pretraining_tp", "reference_compile",
    "repad_logits_with_grad", "deterministic_flash_attn",
    # Whether output embeddings are the input's shows in the tensors.
    "tie_word_embeddings", "tie_encoder_decoder",
    # Training.
    "gradient_checkpointing", "initializer_range", "initializer_factor", "initializer_cutoff_factor", "init_std",
    "embedding_initializer_range", "init_method", "_init_std", "use_mems_train", "sparse_prediction",
    "sparse_pred_ignore_index", "router_aux_loss_coef", "router_z_loss_coef", "output_router_logits",
    "label_smoothing", "tf_legacy_loss", "loss_type",
    # Generation.
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty",
    "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
    "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "prefix", "generation_config",
})  # fmt: skip
"""Settings that leave a model's answers to a text alone, or that other rules compare."""
TRAINING = re.compile(r"(^|_)(dropout|drop|pdrop|layerdrop)(_|$)")
"""Settings of dropout, under its many names: it acts in training alone."""
CORE = (
    "configuration_utils.py", "modeling_layers.py", "modeling_rope_utils.py", "modeling_attn_mask_utils.py",
    "masking_utils.py", "cache_utils.py", "pytorch_utils.py", "activations.py", "modeling_flash_attention_utils.py",
    "integrations/*attention*.py", "integrations/*heterogen*/*.py", "integrations/moe.py",
)  # fmt: skip
"""Files of transformers whose code every model may run."""
NAME = re.compile(r"(?:\.|[\"'])([A-Za-z_]\w*)")
OWN_NAME = re.compile(r"(?:self\.|[\"'])([A-Za-z_]\w*)")
SHOWN = 6


class Configs:
    """The configs of models that are compared with each other: each is read, and where it must be resolved, once.

    Args:
        base: the base of those models that are adapters: its config is theirs.
        load: whether transformers may be loaded to resolve them.
    """

    def __init__(self, base: Profile | None = None, *, load: bool = True) -> None:
        self._base = base
        self._load = load
        self._raw: dict[str, Mapping[str, Any]] = {}
        self._resolved: dict[str, Mapping[str, Any] | None] = {}
        self._names: dict[str, frozenset[str] | None] = {}

    def of(self, profile: Profile) -> Mapping[str, Any]:
        """A model's config.json; empty where its profile has none and none lies there.

        Raises:
            ModelError: it is not the one that was profiled, or is gone.
        """
        owner = self._base if self._base is not None and is_adapter(profile) else profile
        digest = owner.files.get(CONFIG)
        key = digest or owner.ref.path
        if key not in self._raw:
            self._raw[key] = _read(owner, digest)
        return self._raw[key]

    def is_tied(self, profile: Profile) -> bool:
        """Whether a model's output embeddings are its input's, as its config says or its type's default is.

        Raises:
            ModelError: as `of`.
        """
        config = self.of(profile)
        if "tie_word_embeddings" not in config:
            if not self._load:
                # A model without output embeddings of its own, which it needs, can only have tied ones.
                return True
            config = self._resolve(profile.model_type, config) or {}
        return bool(config.get("tie_word_embeddings", False))

    def differences(self, suspect: Profile, candidate: Profile) -> tuple[list[str], list[str]]:
        """The settings, in words, by which a candidate of the suspect's type makes another function of its weights.

        Second, what could not be settled without loading transformers, where that is not allowed.

        Raises:
            ModelError: as `of`.
        """
        ours, theirs = self.of(suspect), self.of(candidate)
        if not ours or not theirs or ours is theirs:
            return [], []
        kind = suspect.model_type
        written = list(self._counting(kind, ours, theirs))
        if not written:
            return [], []
        if not self._load:
            words = f"config.json of {candidate.ref.reference} is written otherwise ({', '.join(written[:SHOWN])})"
            return [], [f"{words}: whether that makes another function is seen when it is merged"]
        resolved = self._resolve(kind, ours), self._resolve(kind, theirs)
        mine, other = (resolved[0] or ours, resolved[1] or theirs) if all(resolved) else (ours, theirs)
        found = []
        for key in self._counting(kind, mine, other):
            flat = _flat(key, mine.get(key)), _flat(key, other.get(key))
            for place in sorted(flat[0].keys() | flat[1].keys()):
                own, its = flat[0].get(place), flat[1].get(place)
                if own != its:
                    found.append(
                        f"config {place} is {_shown(its, key, theirs)} in {candidate.ref.reference} and "
                        f"{_shown(own, key, ours)} in the suspect"
                    )
        if len(found) > SHOWN:
            found = [*found[:SHOWN], f"… and {len(found) - SHOWN} settings more like these"]
        return found, []

    def _counting(self, kind: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
        """The keys that differ and may change an answer."""
        for key in sorted(ours.keys() | theirs.keys()):
            if key in IMMATERIAL or TRAINING.search(key):
                continue
            if _plain(ours.get(key)) != _plain(theirs.get(key)):
                names = self._read_names(kind)
                if names is None or key in names:
                    yield key

    def _read_names(self, kind: str) -> frozenset[str] | None:
        """Every name that the code of a model type may read from its config; None where the code is not found."""
        if kind not in self._names:
            self._names[kind] = _names_in(kind)
        return self._names[kind]

    def _resolve(self, kind: str, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A config as its class resolves it; None where transformers has no such class, or it takes no such config."""
        names = self._read_names(kind)
        kept = {
            key: value
            for key, value in config.items()
            if key == "tie_word_embeddings" or (key not in IMMATERIAL and (names is None or key in names))
        }
        key = json.dumps([kind, kept], sort_keys=True)
        if key not in self._resolved:
            self._resolved[key] = as_read(kind, kept)
        return self._resolved[key]


def _read(profile: Profile, digest: str | None) -> Mapping[str, Any]:
    try:
        path = Path(profile.ref.path) / CONFIG
        content = read_bytes(path, MAX_CONFIG)
    except OSError as error:
        if digest is None:
            return {}
        raise ModelError(f"cannot read {profile.ref.path}/{CONFIG}: {error.strerror or error}") from error
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise changed(profile, f"{CONFIG} is another")
    try:
        found = parse_json(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ModelError(f"{profile.ref.path}/{CONFIG} is damaged: a JSON object is expected")
    return found


def _names_in(kind: str) -> frozenset[str] | None:
    """The names that follow a point or stand in quotes in the code of a model type and in the code that all share."""
    spec = importlib.util.find_spec("transformers")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    package = re.sub(r"\W", "_", kind)
    if not places or not (Path(places[0]) / "models" / package).is_dir():
        return None
    root = Path(places[0])
    found: set[str] = set()
    waiting, seen = [package], {package}
    while waiting:
        directory = root / "models" / waiting.pop()
        for path in directory.glob("configuration_*.py"):
            found.update(OWN_NAME.findall(path.read_text("utf-8")))
        for path in directory.glob("modeling_*.py"):
            text = path.read_text("utf-8")
            found.update(NAME.findall(text))
            # What it takes from another type's code is its code too.
            more = set(re.findall(r"^\s*from \.\.(\w+)[\w.]* import", text, re.MULTILINE)) - seen - {"auto"}
            waiting += sorted(more)
            seen |= more
    for pattern in CORE:
        for path in root.glob(pattern):
            found.update(NAME.findall(path.read_text("utf-8")))
    return frozenset(found)


def _plain(value: Any) -> Any:
    """A value without members that say nothing, so that one which spells out `null` equals one that does not."""
    if isinstance(value, Mapping):
        kept = {str(key): _plain(member) for key, member in value.items() if member is not None}
        if "rope_type" in kept:
            # The older name of the same setting.
            kept.pop("type", None)
        if "model_type" in kept:
            # The config of a part of the model.
            kept = {key: member for key, member in kept.items() if key not in IMMATERIAL and not TRAINING.search(key)}
        return kept
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value


def _flat(key: str, value: Any) -> dict[str, Any]:
    """A setting's members by their full names; a plain one by its own."""
    value = _plain(value)
    if not isinstance(value, Mapping):
        return {key: value}
    return {place: leaf for name, member in value.items() for place, leaf in _flat(f"{key}.{name}", member).items()}


def _shown(value: Any, key: str, config: Mapping[str, Any]) -> str:
    text = json.dumps(value, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}…"
    return text if key in config else f"{text} (not written there under this name)"
