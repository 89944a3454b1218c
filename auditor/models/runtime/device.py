"""Where a model runs, and in which number format."""

from __future__ import annotations

import os
import re
from pathlib import Path

from auditor.errors import UsageError

GPUS = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver for Linux lists what it found."""

ANY_GPU = "cuda"
"""Of several GPUs the one with room for a model, or as many as it takes."""

DTYPES = {
    "float32": "float32", "bfloat16": "bfloat16", "float16": "float16",
    "fp32": "float32", "bf16": "bfloat16", "fp16": "float16",
}  # fmt: skip


def pick_device(name: str = "auto") -> str:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`, as torch writes it. `auto` is the first GPU, else the CPU.

    Raises:
        UsageError: no such device here.
    """
    kind = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", name)
    if not kind:
        raise UsageError(f"unknown device {name!r}", hint="Known: auto, cpu, cuda, cuda:0, cuda:1, …")
    if name == "cpu":
        return "cpu"
    import torch

    usable = torch.cuda.is_available()
    if name == "auto":
        return "cuda:0" if usable else "cpu"
    if not usable:
        raise UsageError(
            "there is no CUDA device that torch can use",
            hint="Use --device cpu or --device auto; `auditor doctor` shows what torch sees.",
        )
    number = int(kind[1] or 0)
    if number >= torch.cuda.device_count():
        raise UsageError(
            f"there is no device cuda:{number}", hint=f"Here are cuda:0 to cuda:{torch.cuda.device_count() - 1}."
        )
    return f"cuda:{number}"


def pick_room(name: str = "auto") -> str:
    """Where a model runs for `auto`, `cpu`, `cuda` or `cuda:N`: `cuda`, any GPU or several, where no one is named and
    there are several; else as `pick_device`, which raises the same.
    """
    first = pick_device(name)
    if name not in ("auto", "cuda") or first == "cpu":
        return first
    import torch

    return ANY_GPU if torch.cuda.device_count() > 1 else first


def pick_devices(name: str = "auto") -> tuple[str, ...]:
    """The devices that share a piece of work: every GPU for `cuda`, and for `auto` where there is one; else the one
    that is named.

    Raises:
        UsageError: no such device here.
    """
    first = pick_device(name)
    if name not in ("auto", "cuda") or first == "cpu":
        return (first,)
    import torch

    return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))


def driver_gpus() -> int:
    """How many NVIDIA GPUs the driver shows, less what `CUDA_VISIBLE_DEVICES` hides; 0 where that cannot be known.

    Found out without torch, which takes seconds to import.
    """
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        found = sum(1 for _ in GPUS.iterdir())
    except OSError:
        return 0
    return found if shown is None else min(found, len([number for number in shown.split(",") if number.strip()]))


def pick_dtype(name: str | None, device: str) -> str:
    """The number format by torch's name. None or `auto`: bfloat16 on a GPU that has it, else float32.

    Raises:
        UsageError: unknown, or not to be had on this device.
    """
    if name is None or name == "auto":
        if not device.startswith("cuda"):
            return "float32"
        import torch

        # Emulated bfloat16 (before compute capability 8) is slower than float32.
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float32"
    if name not in DTYPES:
        raise UsageError(f"unknown dtype {name!r}", hint="Known: auto, float32, bfloat16, float16.")
    return DTYPES[name]
