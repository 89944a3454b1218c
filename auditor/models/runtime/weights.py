"""A profiled model's tensors in memory: each file is read once, and what was hashed is what the tensors hold.

A file's bytes go straight into the memory of its tensors, in the order of the file, and a digest runs along over all of
them. Nothing is handed out before the digests of all files are those of the profile, so a file that changes before or
while it is read cannot slip in; and nothing is held twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.safetensors import StoredTensor, parse_head, read_head
from auditor.models.runtime.verified import changed
from probes.reading import open_regular
from store.records import Profile

if TYPE_CHECKING:
    import torch

CHUNK = 1 << 20
"""Bytes that are read, and digested while they are near the processor, at a time."""
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
}  # fmt: skip
"""torch's names of the number formats; quantised ones are not loaded."""


def read_weights(profile: Profile) -> dict[str, torch.Tensor]:
    """All tensors of a whole model, on the CPU, in the formats that the files have.

    Raises:
        ModelError: a file is not what was hashed, is damaged, or cannot be read.
    """
    directory = Path(profile.ref.path)
    tensors: dict[str, torch.Tensor] = {}
    for file, digest in profile.files.items():
        if file.endswith(".safetensors"):
            tensors.update(read_tensors(directory / file, digest))
    return tensors


def read_tensors(path: Path, digest: str) -> dict[str, torch.Tensor]:
    """The tensors of one safetensors file, if its bytes are those that were hashed.

    Args:
        digest: the file's SHA-256 in hexadecimal.

    Raises:
        ModelError: they are not, or the file is damaged or cannot be read.
    """
    running = hashlib.sha256()
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = read_head(path, file, size)
            running.update(head)
            tensors = {}
            for stored in parse_head(path, head, size):
                tensors[stored.info.name] = tensor = _empty(path, stored)
                for part in _parts(tensor):
                    if file.readinto(part) < len(part):
                        raise changed(path)
                    running.update(part)
            if file.read(1):
                raise changed(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    except ModelError:
        # A file that is damaged since it was hashed has changed: that is what there is to say of it.
        if hash_file(path) != digest:
            raise changed(path) from None
        raise
    if running.hexdigest() != digest:
        raise changed(path)
    return tensors


def _empty(path: Path, stored: StoredTensor) -> torch.Tensor:
    import torch

    info = stored.info
    if info.dtype not in DTYPES:
        raise ModelError(f"{path} cannot be read: tensor {info.name!r} is stored as {info.dtype}")
    return torch.empty(info.shape, dtype=getattr(torch, DTYPES[info.dtype]))


def _parts(tensor: torch.Tensor) -> Iterator[memoryview]:
    """The memory of a contiguous tensor, a chunk at a time."""
    import torch

    if tensor.numel():
        memory = tensor.reshape(-1).view(torch.uint8).numpy().data
        for start in range(0, len(memory), CHUNK):
            yield memory[start : start + CHUNK]


class Handed:
    """A tensor that is handed over once, and not kept: a copy in another format does not lie beside it.

    transformers takes what it loads by `[...]`, as it takes slices of files.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor: torch.Tensor | None = tensor

    def __getitem__(self, place: Any) -> torch.Tensor:
        tensor, self._tensor = self._tensor, None
        if tensor is None:
            raise ValueError("a tensor is wanted twice")
        found: torch.Tensor = tensor[place]
        return found
