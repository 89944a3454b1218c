"""Which LoRA adapters mean what their factors say: base + scale · B · A. Everything else is refused by name.

Fields are refused by default: one that is not known to leave the forward pass alone must be empty or false. PEFT adds
variants of LoRA in nearly every release, each switched on by a field of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError

EXACT_INITS = frozenset({"gaussian", "eva", "orthogonal", "mica"})
"""Ways to begin that leave the base as it is, besides PEFT's own (true, false)."""
CHANGING_INITS = ("pissa", "olora", "corda", "lora_ga", "loftq")
"""Ways to begin that take something out of the base's weights: names, or beginnings of names."""

READ = frozenset({
    "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "modules_to_save",
    "trainable_token_indices", "init_lora_weights", "bias", "task_type", "peft_type", "base_model_name_or_path",
})  # fmt: skip
"""Fields whose meaning is applied."""
HARMLESS = frozenset({
    "auto_mapping", "revision", "peft_version", "inference_mode", "lora_dropout", "exclude_modules",
    "layers_to_transform", "layers_pattern", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
    "megatron_core", "qalora_group_size", "ensure_weight_tying", "runtime_config", "fan_in_fan_out",
})  # fmt: skip
"""Fields that matter in training only, say where factors were put (the file shows it), which way round a layer is (PEFT
goes by the layer itself), or need another one.
"""

UNLOAD = "Merge it into its base with peft (merge_and_unload(), save_pretrained()) and give that model."
CONVERT = (
    "Convert it with peft: save it with save_pretrained(DIR, path_initial_model_for_weight_conversion=INITIAL), where "
    "INITIAL is the adapter as it was saved before training; or merge it in the session that trained it "
    "(merge_and_unload()) and give that model"
)


def refuse_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Refuses an adapter that does not mean base + scale · B · A, by its `adapter_config.json`.

    Raises:
        ModelError: it is of another type, changes its base when it begins, or uses a field that changes the forward
            pass and is not read.
    """
    kind = config.get("peft_type")
    if kind != "LORA":
        base = config.get("base_model_name_or_path") or "its base model"
        raise ModelError(
            f"{directory} is a PEFT adapter for {base} of type {kind}; only LoRA adapters are read",
            hint=UNLOAD,
        )
    _refuse_init(directory, config.get("init_lora_weights", True))
    if config.get("bias", "none") not in ("none", None):
        raise ModelError(f"{directory}: adapters that train biases (bias={config['bias']!r}) are not read", hint=UNLOAD)
    for key in sorted(config.keys() - READ - HARMLESS):
        if config[key]:
            raise ModelError(f"{directory}: adapters with {key} are not read", hint=UNLOAD)


def _refuse_init(directory: Path, init: Any) -> None:
    if init is None or isinstance(init, bool) or (isinstance(init, str) and init.lower() in EXACT_INITS):
        return
    name = str(init)
    if name.lower() == "loftq":
        raise ModelError(
            f"{directory} was begun with LoftQ: its factors make up for what quantising took from the base, so they "
            "mean nothing on the base itself",
            hint="Merge it in peft into the very base that it was trained on, and give that model.",
        )
    if name.lower().startswith(CHANGING_INITS):
        raise ModelError(
            f"{directory} was begun with init_lora_weights={name!r}, which takes the factors out of the base's weights "
            "before training: added to the base itself they count twice",
            hint=CONVERT,
        )
    raise ModelError(f"{directory}: init_lora_weights={name!r} is not known", hint=UNLOAD)
