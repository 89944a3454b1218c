"""Low-rank adapters in training (Hu et al., arXiv:2106.09685), and as PEFT stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.models.files.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from store.records import Profile, Task

ALL_LINEAR = "all-linear"
"""Every linear layer but the head."""
CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter's shape; the change of a layer is scaled by alpha / rank, and alpha is twice the rank.

    `modules` are endings of layers' names, or `all-linear` alone; none means those that PEFT takes for the type of
    model, mostly the query and value projections, as in the paper (arXiv:2402.19334, section 4.4).
    """

    rank: int = 8
    modules: tuple[str, ...] = ()

    @property
    def alpha(self) -> int:
        """What the change is scaled by, times the rank."""
        return 2 * self.rank

    def facts(self) -> Mapping[str, object]:
        """What the lab's record says of it."""
        return {"rank": self.rank, "alpha": self.alpha, "modules": list(self.modules)}


def adapted(model: Any, lora: Lora, profile: Profile, task: Task) -> Any:
    """The model with an adapter that begins as no change; nothing else is trained, but for a classifier's head.

    The factors are drawn from torch's generator as it stands, and are kept in float32.

    Raises:
        UsageError: the model has no such layers, or PEFT knows none for its type.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    if lora.rank < 1:
        raise UsageError(f"--rank {lora.rank} leaves nothing to train", hint="Give 1 or more; 8 is usual.")
    modules: Any = list(lora.modules) or None
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules=ALL_LINEAR if lora.modules == (ALL_LINEAR,) else modules,
        task_type="SEQ_CLS" if task is Task.CLASSIFICATION else "CAUSAL_LM",
    )
    try:
        found = get_peft_model(model, config)
    except ValueError as error:
        named = ", ".join(lora.modules) or "the usual ones"
        raise UsageError(
            f"{profile.ref.path} ({profile.model_type}) cannot have an adapter on the modules {named}: "
            f"{str(error).splitlines()[0]}",
            hint=f"Name some of its linear layers with --modules, or {ALL_LINEAR}.",
        ) from error
    for parameter in found.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return found


def is_adapted(model: Any) -> bool:
    """Whether a model is one that `adapted` made."""
    return hasattr(model, "peft_config")


def save_adapter(model: Any, profile: Profile, directory: Path) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors`, as PEFT reads them; with a classifier's adapter the
    base's config.json with its labels, which PEFT has no place for.

    Raises:
        ModelError: the base's config can no longer be read.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(weights, directory / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.base_model_name_or_path = profile.ref.path
    config.inference_mode = True
    # A set has another order in each process.
    config.target_modules = sorted(config.target_modules)
    config.save_pretrained(str(directory))
    if not (directory / ADAPTER_CONFIG).is_file():
        raise ModelError(f"PEFT wrote no {ADAPTER_CONFIG}")
    if config.task_type == "SEQ_CLS":
        model.config.save_pretrained(str(directory))
