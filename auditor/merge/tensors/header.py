"""Where tensors lie in a model's safetensors files, and the header of a file that is to be written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.models.files.safetensors import DTYPE_BITS, read_header
from store.records import TensorInfo


@dataclass(frozen=True, slots=True)
class Region:
    """A tensor's place: the file's name inside the model's directory, absolute byte offsets, dtype and shape."""

    file: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    stop: int


def read_regions(directory: Path, file: str) -> tuple[Region, ...]:
    """The tensors of one safetensors file in the order of their bytes.

    Raises:
        ModelError: missing, truncated, damaged, or not safetensors.
    """
    return tuple(
        Region(file, stored.info.name, stored.info.shape, stored.info.dtype, stored.begin, stored.end)
        for stored in read_header(directory / file)
    )


def item_size(dtype: str) -> int:
    """Bytes an element."""
    return DTYPE_BITS[dtype] // 8


def write_header(tensors: Iterable[TensorInfo]) -> bytes:
    """The header for tensors that lie one after the other, padded to a multiple of 8 bytes.

    The metadata says `format: pt`, without which transformers refuses the file.
    """
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for tensor in tensors:
        stop = start + math.prod(tensor.shape) * item_size(tensor.dtype)
        table[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
