"""PEFT LoRA adapters: what their files say, read without loading anything.

The format is PEFT's: `adapter_config.json`, and `adapter_model.safetensors` with the factors of each linear layer as
`base_model.model.<module>.lora_A.weight` (rank × inputs) and `lora_B.weight` (outputs × rank); modules that were
trained whole stand beside them under their own names. The layer's change is scale · B · A, with scale = alpha / rank,
or alpha / √rank for rank-stabilised adapters (Hu et al., arXiv:2106.09685; Kalajdzievski, arXiv:2312.03732).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.safety import StoredTensor, read_header, read_json
from store.records import Profile, Task

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ARCHITECTURE = "LoraAdapter"
_PREFIX = "base_model.model."
_FACTOR = re.compile(r"^(?P<module>.+)\.lora_(?P<factor>[AB])(\.default)?\.weight$")
_TASKS = {"SEQ_CLS": Task.CLASSIFICATION, "CAUSAL_LM": Task.GENERATION}


@dataclass(frozen=True, slots=True)
class Factors:
    """One layer's low-rank change: scale · B · A, for the tensor `target` of the base."""

    target: str
    down: StoredTensor
    up: StoredTensor
    scale: float

    @property
    def rank(self) -> int:
        return self.down.info.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the change: outputs, inputs."""
        return self.up.info.shape[0], self.down.info.shape[1]


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter: its base's name, the factors by the base's tensor names, and the tensors that were trained whole."""

    base: str | None
    task: Task
    factors: Mapping[str, Factors]
    saved: Mapping[str, StoredTensor]
    config: Mapping[str, Any]


def is_adapter(profile: Profile) -> bool:
    """Whether a profile is that of an adapter."""
    return ADAPTER_CONFIG in profile.files


def require_whole(profile: Profile) -> None:
    """Refuses an adapter where a whole model is asked: what it answers is decided by its base as well.

    Raises:
        ModelError: it is an adapter.
    """
    if is_adapter(profile):
        raise ModelError(
            f"{profile.ref.reference} is a PEFT adapter for {profile.base or 'its base model'}, not a whole model",
            hint="Merge it into its base first (peft: merge_and_unload(), save_pretrained()) and give that directory.",
        )


def read_adapter(directory: Path) -> Adapter:
    """An adapter's config and the places of its tensors.

    Raises:
        ModelError: it is no LoRA adapter, its files are damaged or missing, or it uses a kind that is not read.
    """
    config = read_json(directory / ADAPTER_CONFIG)
    kind = config.get("peft_type")
    if kind != "LORA":
        base = config.get("base_model_name_or_path") or "its base model"
        raise ModelError(
            f"{directory} is a PEFT adapter for {base} of type {kind}; only LoRA adapters are read",
            hint="merge it into its base first (peft: merge_and_unload(), save_pretrained()) and give that directory",
        )
    for key in ("use_dora", "use_qalora", "fan_in_fan_out", "alora_invocation_tokens", "arrow_config"):
        if config.get(key):
            raise ModelError(
                f"{directory}: adapters with {key} are not read",
                hint="merge it into its base with peft (merge_and_unload) and give that model",
            )
    if config.get("bias", "none") != "none":
        raise ModelError(f"{directory}: adapters that train biases (bias={config['bias']!r}) are not read")
    path = directory / ADAPTER_WEIGHTS
    if not path.is_file():
        raise ModelError(
            f"{directory} has no {ADAPTER_WEIGHTS}; only safetensors are read",
            hint="save the adapter again with save_pretrained(directory, safe_serialization=True)",
        )
    halves: dict[str, dict[str, StoredTensor]] = {}
    saved: dict[str, StoredTensor] = {}
    for stored in read_header(path):
        name = stored.info.name.removeprefix(_PREFIX)
        found = _FACTOR.match(name)
        if found:
            halves.setdefault(found["module"], {})[found["factor"]] = stored
        elif "lora_" in name:
            raise ModelError(f"{path}: tensor {stored.info.name} is of a kind that is not read")
        else:
            saved[_saved_name(name)] = stored
    factors = {f"{m}.weight": _factors(path, m, pair, config) for m, pair in sorted(halves.items())}
    stated = config.get("base_model_name_or_path")
    task = config.get("task_type")
    return Adapter(
        stated if isinstance(stated, str) and stated else None,
        _TASKS.get(task if isinstance(task, str) else "", Task.OTHER),
        factors,
        saved,
        config,
    )


def _saved_name(name: str) -> str:
    """A tensor that was trained whole, under its name in the base."""
    return re.sub(r"\.(modules_to_save\.default|original_module)\.", ".", name)


def _factors(path: Path, module: str, pair: Mapping[str, StoredTensor], config: Mapping[str, Any]) -> Factors:
    if pair.keys() != {"A", "B"}:
        raise ModelError(f"{path}: module {module} has lora_{next(iter(pair))}, but not the other factor")
    down, up = pair["A"], pair["B"]
    if len(down.info.shape) != 2 or len(up.info.shape) != 2 or down.info.shape[0] != up.info.shape[1]:
        raise ModelError(f"{path}: the factors of module {module} are {down.info.shape} and {up.info.shape}")
    rank = down.info.shape[0]
    alpha = _pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", 8))
    if not isinstance(alpha, int | float) or not math.isfinite(alpha) or rank < 1:
        raise ModelError(f"{path}: module {module} has alpha {alpha!r} and rank {rank}")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return Factors(f"{module}.weight", down, up, float(scale))


def _pattern(patterns: Any, module: str, otherwise: Any) -> Any:
    """The value of the first pattern that a module's name ends with, as PEFT looks it up."""
    if isinstance(patterns, dict):
        for pattern, value in patterns.items():
            try:
                if re.match(rf"(.*\.)?({pattern})$", module):
                    return value
            except re.error:
                continue
    return otherwise
