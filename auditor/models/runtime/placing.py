"""Puts a loaded model where it runs: on one device, or, where no GPU has room for it, spread over several by layers.

A spread model answers one layer after the other, each on its own GPU (accelerate's `dispatch_model`); nothing is left
on the CPU or the disk, which would take hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.models.runtime.device import ANY_GPU

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROOM = 1.2
"""Free memory that a model takes on one GPU, in times of its weights: answers need some as well."""
PART = 0.8
"""The share of a GPU's free memory that a part of a spread model takes."""
GIB = 1 << 30


def put(model: PreTrainedModel, device: str, name: str, *, free: Mapping[int, int] | None = None) -> PreTrainedModel:
    """The model on its device, in evaluation mode.

    Args:
        device: `cpu`, `cuda:0`, …, or `cuda`: any GPU with room for it, or several.
        name: of the model, for messages.
        free: bytes that are free, by the GPU's number; None: as the GPUs say.

    Raises:
        ModelError: not even all GPUs together have room for it.
    """
    placed: Any = model
    placed.eval()
    if device != ANY_GPU:
        return placed.to(device)  # type: ignore[no-any-return]
    room = free_memory() if free is None else dict(free)
    chosen = placement(model, room, name)
    if not isinstance(chosen, dict):
        return placed.to(chosen)  # type: ignore[no-any-return]
    from accelerate import dispatch_model

    return dispatch_model(placed, chosen)  # type: ignore[no-any-return]


def placement(model: PreTrainedModel, free: Mapping[int, int], name: str) -> str | dict[str, int]:
    """One GPU, the first with room for the model; where none has, by its parts the number of the GPU of each.

    Raises:
        ModelError: all together have too little room, or the model cannot be taken apart.
    """
    needed = size(model)
    for number, bytes_free in sorted(free.items()):
        if needed * ROOM <= bytes_free:
            return f"cuda:{number}"
    from accelerate import infer_auto_device_map

    whole: Any = model
    kept = list(getattr(model, "_no_split_modules", None) or [])
    limits: dict[int | str, int | str] = {number: int(PART * found) for number, found in sorted(free.items())}
    parts: dict[str, Any] = dict(infer_auto_device_map(whole, max_memory=limits, no_split_module_classes=kept))
    if not kept or any(not isinstance(place, int) for place in parts.values()):
        rooms = ", ".join(f"{found / GIB:.1f}" for _, found in sorted(free.items()))
        raise ModelError(
            f"{name} takes {needed / GIB:.1f} GiB in this number format, and the GPUs here have {rooms} GiB free"
            + ("" if kept else "; a model of its type is not spread over several"),
            hint="Use --dtype bfloat16, end what else runs there, or try --device cpu.",
        )
    return parts


def size(model: PreTrainedModel) -> int:
    """Bytes of the weights; what is shared counts once."""
    whole: Any = model
    return sum(p.numel() * p.element_size() for p in (*whole.parameters(), *whole.buffers()))


def spread_over(model: Any) -> int:
    """Over how many devices a model is spread; 1 where it is on one."""
    return len(set((getattr(model, "hf_device_map", None) or {"": 0}).values()))


def free_memory() -> dict[int, int]:
    """Bytes that are free on each GPU, by its number."""
    import torch

    return {number: torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())}
