"""Blending on a GPU: pinned host memory, fp32 on the device. Imported only when a merge runs there."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from auditor.merge.numerics.arithmetic import CUT, Raw
from auditor.merge.strategy import Array

KINDS: dict[str, torch.dtype] = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def _narrowed(flat: torch.Tensor, dtype: str) -> torch.Tensor:
    """The values in a file's dtype, rounded once, to nearest, ties to even.

    torch goes from fp64 to BF16 by way of fp32, which rounds twice; here the fraction is cut to BF16's in fp64.
    """
    if dtype != "BF16" or flat.dtype != torch.float64:
        return flat.to(KINDS[dtype])
    bits = flat.contiguous().view(torch.int64)
    bits = bits + ((bits >> CUT) & 1) + ((1 << (CUT - 1)) - 1)
    bits = bits & ~((1 << CUT) - 1)
    cut = bits.view(torch.float64)
    # Below the normal range BF16 has whole multiples of 2⁻¹³³.
    return torch.where(flat.abs() < 2.0**-126, torch.round(flat * 2.0**133) * 2.0**-133, cut).to(torch.bfloat16)


class TorchArithmetic:
    """On a torch device. Each thread has its own stream, so one's copies overlap with another's arithmetic."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._memory: dict[str, torch.Tensor] = {}
        on_gpu = self._device.type == "cuda"
        self._stream = torch.cuda.Stream(self._device) if on_gpu else None  # type: ignore[no-untyped-call]

    def raw(self, slot: str, size: int) -> Raw:
        return self._host(slot, size).numpy()

    def _host(self, slot: str, size: int) -> torch.Tensor:
        memory = self._memory.get(slot)
        if memory is None or memory.numel() < size:
            pinned = self._stream is not None
            memory = self._memory[slot] = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        return memory[:size]

    def decode(self, raw: Raw, dtype: str, wide: bool, slot: str) -> Array:
        # The pinned tensor, not one made of the NumPy view: torch copies asynchronously only what it knows as pinned.
        host = self._memory[slot][: raw.nbytes].view(KINDS[dtype])
        with torch.cuda.stream(self._stream):
            there = host.to(self._device, non_blocking=True, copy=True)
            return there.to(torch.float64 if wide else torch.float32)

    def reorder(self, array: Array, rows: tuple[int, ...]) -> Array:
        with torch.cuda.stream(self._stream):
            return array.reshape(len(rows), -1)[list(rows)].reshape(-1)

    def shaped(self, array: Array, shape: tuple[int, ...]) -> Array:
        return array.reshape(shape)

    def blending(self) -> Any:
        """The context in which a strategy's arithmetic runs: this thread's stream."""
        return torch.cuda.stream(self._stream)

    def encode(self, array: Array, dtype: str, slot: str) -> Raw:
        with torch.cuda.stream(self._stream):
            narrow = _narrowed(array.reshape(-1), dtype).view(torch.uint8)
            host = self._host(slot, narrow.numel())
            host.copy_(narrow, non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        return np.asarray(host.numpy())

    def finite(self, array: Array, raw: Raw, dtype: str) -> bool:
        with torch.cuda.stream(self._stream):
            return bool(torch.isfinite(array).all())
