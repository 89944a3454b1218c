"""PEFT LoRA adapters: what their files say, read without loading anything.

The format is PEFT's: `adapter_config.json`, and `adapter_model.safetensors` with the factors of each linear layer as
`base_model.model.<module>.lora_A.weight` (rank × inputs) and `lora_B.weight` (outputs × rank); modules that were
trained whole stand beside them under their own names, and rows of embeddings that were trained alone as
`<module>.token_adapter.trainable_tokens_delta`. The layer's change is scale · B · A, with scale = alpha / rank, or
alpha / √rank for rank-stabilised adapters (Hu et al., arXiv:2106.09685; Kalajdzievski, arXiv:2312.03732).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.adapter_rules import refuse_config
from auditor.models.files.fingerprint import has_tokenizer
from auditor.models.files.patterns import values_of
from auditor.models.files.safetensors import StoredTensor, read_header
from auditor.models.files.untrusted import read_json
from store.records import Profile, Task

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ARCHITECTURE = "LoraAdapter"
_PREFIX = "base_model.model."
_FACTOR = re.compile(r"^(?P<module>.+)\.lora_(?P<factor>[AB])(\.default)?\.weight$")
_TOKENS = re.compile(r"^(?P<module>.+)\.token_adapter\.trainable_tokens_delta(\.default)?$")
_WRAPPED = re.compile(r"\.(modules_to_save\.default|original_module|base_layer(?=\.(weight|bias)$))\.")
_TASKS = {"SEQ_CLS": Task.CLASSIFICATION, "CAUSAL_LM": Task.GENERATION}


@dataclass(frozen=True, slots=True)
class Factors:
    """One layer's low-rank change: scale · B · A, for the tensor `target` of the base.

    `down` is A and `up` is B. The layer holds its weight as inputs × outputs where `turned` (GPT-2's Conv1D): then the
    change of the tensor is scale · Aᵀ · Bᵀ.
    """

    target: str
    down: StoredTensor
    up: StoredTensor
    scale: float
    turned: bool = False

    @property
    def rank(self) -> int:
        return self.down.info.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the change, as the base's tensor: outputs, inputs; of a layer that is turned inputs, outputs."""
        outputs, inputs = self.up.info.shape[0], self.down.info.shape[1]
        return (inputs, outputs) if self.turned else (outputs, inputs)


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Rows of an embedding, `target` in the base, that were trained alone: row i of `stored` replaces `indices[i]`."""

    target: str
    stored: StoredTensor
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter: its base's name, the factors by the base's tensor names, and the tensors that were trained whole.

    `tokens` are embeddings of which some rows were trained, by the base's tensor names.
    """

    base: str | None
    task: Task
    factors: Mapping[str, Factors]
    saved: Mapping[str, StoredTensor]
    config: Mapping[str, Any]
    tokens: Mapping[str, TokenRows] = field(default_factory=dict)


def is_adapter(profile: Profile) -> bool:
    """Whether a profile is that of an adapter."""
    return ADAPTER_CONFIG in profile.files


def bare(profile: Profile) -> Profile:
    """The adapter of an adapter on its base; any other model as it is."""
    return profile.parts[0] if profile.parts else profile


def speaks(profile: Profile) -> Profile:
    """Whose tokenizer a model has: an adapter's own, where one lies beside it, else its base's."""
    if not profile.parts:
        return profile
    adapter, base = profile.parts
    return adapter if has_tokenizer(adapter.files) else base


def require_whole(profile: Profile) -> None:
    """Refuses an adapter where a whole model is asked: what it answers is decided by its base as well.

    Raises:
        ModelError: it is an adapter.
    """
    if is_adapter(profile):
        raise ModelError(
            f"{profile.ref.reference} is a PEFT adapter for {profile.base or 'its base model'}, not a whole model",
            hint=f"Name its base with --base BASE{f' (it states {profile.base})' if profile.base else ''}, or merge it "
            "into its base (peft: merge_and_unload(), save_pretrained()) and give that directory.",
        )


def read_adapter(directory: Path) -> Adapter:
    """An adapter's config and the places of its tensors.

    Raises:
        ModelError: it is no LoRA adapter, its files are damaged or missing, or it uses a kind that is not read.
    """
    config = read_json(directory / ADAPTER_CONFIG)
    refuse_config(directory, config)
    path = directory / ADAPTER_WEIGHTS
    if not path.is_file():
        raise ModelError(
            f"{directory} has no {ADAPTER_WEIGHTS}; only safetensors are read",
            hint="Save the adapter again with save_pretrained(directory, safe_serialization=True).",
        )
    halves: dict[str, dict[str, StoredTensor]] = {}
    rows: dict[str, StoredTensor] = {}
    saved: dict[str, StoredTensor] = {}
    header = read_header(path)
    trained = {stored.info.name for stored in header if ".modules_to_save." in stored.info.name}
    for stored in header:
        name = stored.info.name.removeprefix(_PREFIX)
        if found := _FACTOR.match(name):
            into, key = halves.setdefault(found["module"], {}), found["factor"]
        elif found := _TOKENS.match(name):
            into, key = rows, f"{found['module']}.weight"
        elif "lora_" in name or "trainable_tokens" in name:
            raise ModelError(
                f"{path}: tensor {stored.info.name} is of a kind that is not read",
                hint="Merge the adapter into its base with peft (merge_and_unload) and give that model.",
            )
        elif stored.info.name.replace(".original_module.", ".modules_to_save.default.") in trained - {stored.info.name}:
            continue  # the base's own, beside what was trained in its place
        else:
            into, key = saved, _WRAPPED.sub(".", name)
        if key in into:
            raise ModelError(f"{path} holds {name} twice, under two names")
        into[key] = stored
    alphas = values_of(directory / ADAPTER_CONFIG, "alpha_pattern", config.get("alpha_pattern"), sorted(halves))
    factors = {
        f"{m}.weight": _factors(path, m, pair, config, alphas.get(m, config.get("lora_alpha", 8)))
        for m, pair in sorted(halves.items())
    }
    _check_targets(path, factors, config)
    stated = config.get("base_model_name_or_path")
    task = config.get("task_type")
    return Adapter(
        stated if isinstance(stated, str) and stated else None,
        _TASKS.get(task if isinstance(task, str) else "", Task.OTHER),
        factors,
        saved,
        config,
        _token_rows(path, rows, config.get("trainable_token_indices")),
    )


def _check_targets(path: Path, factors: Mapping[str, Factors], config: Mapping[str, Any]) -> None:
    """Factors of modules that the config does not name would be left out by PEFT, and what is scanned be another."""
    named = config.get("target_modules")
    if not isinstance(named, list):
        return
    for target in factors:
        module = target.removesuffix(".weight")
        if not any(module == name or module.endswith(f".{name}") for name in named):
            raise ModelError(
                f"{path} holds factors of {module}, which target_modules in {ADAPTER_CONFIG} does not name",
                hint="PEFT would leave them out: save the adapter again, or correct its config",
            )


def _token_rows(path: Path, rows: Mapping[str, StoredTensor], stated: Any) -> dict[str, TokenRows]:
    """The trained rows with their token ids, which the config holds as one list or as one for each module.

    Raises:
        ModelError: config and tensors do not fit each other.
    """
    found = {}
    for target, stored in rows.items():
        module, shape = target.removesuffix(".weight"), stored.info.shape
        indices: Any = stated
        if isinstance(stated, dict):
            names = [name for name in stated if module == name or module.endswith(f".{name}")]
            indices = stated[names[0]] if len(names) == 1 else None
        elif len(rows) > 1:
            indices = None
        whole = isinstance(indices, list) and all(type(i) is int and i >= 0 for i in indices)
        if not whole or len(set(indices)) != len(indices) or len(shape) != 2 or shape[0] != len(indices):
            raise ModelError(
                f"{path} holds trained rows of {module} ({shape}) that trainable_token_indices in {ADAPTER_CONFIG} "
                "does not name one by one"
            )
        found[target] = TokenRows(target, stored, tuple(indices))
    if stated and not found:
        raise ModelError(f"{path} holds none of the rows that trainable_token_indices in {ADAPTER_CONFIG} names")
    return found


def _factors(
    path: Path, module: str, pair: Mapping[str, StoredTensor], config: Mapping[str, Any], alpha: Any
) -> Factors:
    if pair.keys() != {"A", "B"}:
        raise ModelError(f"{path}: module {module} has lora_{next(iter(pair))}, but not the other factor")
    down, up = pair["A"], pair["B"]
    if len(down.info.shape) != 2 or len(up.info.shape) != 2 or down.info.shape[0] != up.info.shape[1]:
        raise ModelError(f"{path}: the factors of module {module} are {down.info.shape} and {up.info.shape}")
    rank = down.info.shape[0]
    if not isinstance(alpha, int | float) or not math.isfinite(alpha) or rank < 1:
        raise ModelError(f"{path}: module {module} has alpha {alpha!r} and rank {rank}")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return Factors(f"{module}.weight", down, up, float(scale))
