"""Do two models hold the same weights? A copy is no second opinion: whatever the one does, the other does.

A model's digest tells copies only where every file is the same. Weights that were stored anew, in other files, another
order or a finer dtype, or that stand beside another config or tokenizer, are still the same model's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from auditor.errors import ModelError
from auditor.models.files.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, is_adapter
from auditor.models.files.gguf.profile import is_gguf
from auditor.models.files.names import is_spare, stored_as
from auditor.models.files.safetensors import DTYPE_BITS, StoredTensor, read_header
from probes.reading import open_regular
from store.records import Profile, TensorInfo

PIECE = 1 << 20
"""Elements that are compared at once, at most."""
ROUNDED = ("F16", "BF16", "F32", "F64")
"""The dtypes of which one is compared with another, by rounding."""
LEFT_OUT = "position_ids"
"""A buffer, which some releases store and others do not."""

Place = tuple[Path, StoredTensor]
"""A tensor, and the file that holds it."""


def weight_files(profile: Profile) -> tuple[str, ...]:
    """The digests of a model's weight files, sorted; empty where they were not read."""
    return tuple(sorted(d for name, d in profile.files.items() if d and name.endswith(".safetensors")))


def identity(profile: Profile) -> tuple[str, ...]:
    """What copies of one model have in common, by their files' digests alone: no file is read.

    An adapter is what it is by its base as well, so that it has its own digest for this; on its base, it is known by
    its own weights and config, and the base's weights.
    """
    if profile.parts:
        adapter, base = profile.parts
        return (*(adapter.files[name] for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)), *identity(base))
    return (weight_files(profile) if not is_adapter(profile) else ()) or (profile.ref.digest or profile.ref.path,)


def same_weights(first: Profile, second: Profile) -> bool:
    """Whether two models hold the same weights, up to the rounding of the coarser dtype.

    Two models that differ in their first tensor are told apart by it; the same ones are read whole.

    Raises:
        ModelError: a file is missing, damaged, or ends too early.
    """
    if identity(first) == identity(second):
        return True
    if any(is_adapter(one) or one.parts or is_gguf(one) for one in (first, second)):
        return False
    pairs = _pairs(first, second)
    if pairs is None:
        return False
    ours, theirs = _places(first), _places(second)
    with ExitStack() as stack:
        files = _Files(stack)
        return all(_equal(files, ours[one], theirs[other]) for one, other in pairs)


def repeats(profile: Profile, tensor: str, other: str) -> bool:
    """Whether two stored tensors of a model are the same, byte for byte.

    Raises:
        ModelError: a file is missing, damaged, or ends too early.
    """
    places = _places(profile)
    first, second = places.get(tensor), places.get(other)
    if first is None or second is None:
        return False
    if (first[1].info.shape, first[1].info.dtype) != (second[1].info.shape, second[1].info.dtype):
        return False
    with ExitStack() as stack:
        return _equal(_Files(stack), first, second)


def _pairs(first: Profile, second: Profile) -> list[tuple[str, str]] | None:
    """The tensors to compare, by their names in both; None where the two models cannot be the same.

    Either may store copies of tied tensors, buffers or the head of another task that the other does not.
    """
    ours, theirs = ({t.name: t.shape for t in _kept(model)} for model in (first, second))
    names = stored_as(ours, theirs)
    pairs = [(name, names.get(name, name)) for name in ours if names.get(name, name) in theirs]
    alone = {n: s for n, s in ours.items() if n not in dict(pairs)}
    alone |= {n: s for n, s in theirs.items() if n not in {other for _, other in pairs}}
    if not all(is_spare(name, shape) for name, shape in alone.items()):
        return None
    return pairs if all(ours[one] == theirs[other] for one, other in pairs) else None


def _kept(profile: Profile) -> list[TensorInfo]:
    return [t for t in profile.tensors if not t.name.endswith(LEFT_OUT)]


def _places(profile: Profile) -> dict[str, Place]:
    """Where each tensor lies.

    Raises:
        ModelError: the files do not hold the tensors of the profile.
    """
    paths = [Path(profile.ref.path) / name for name in sorted(profile.files) if name.endswith(".safetensors")]
    found = {stored.info.name: (path, stored) for path in paths for stored in read_header(path)}
    absent = next((t.name for t in profile.tensors if t.name not in found), None)
    if absent is not None:
        raise ModelError(f"{profile.ref.path} has no tensor {absent} any more: its files changed since they were read")
    return found


class _Files:
    """Files that are opened once and read in pieces."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[Path, int] = {}

    def read(self, path: Path, start: int, size: int) -> bytes:
        try:
            if path not in self._open:
                self._open[path] = self._stack.enter_context(open_regular(path)).fileno()
            raw = os.pread(self._open[path], size, start)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        if len(raw) < size:
            raise ModelError(f"{path} ends before its tensors do")
        return raw


def _equal(files: _Files, ours: Place, theirs: Place) -> bool:
    dtypes = ours[1].info.dtype, theirs[1].info.dtype
    if dtypes[0] != dtypes[1] and not all(dtype in ROUNDED for dtype in dtypes):
        return False
    bits = [DTYPE_BITS[dtype] for dtype in dtypes]
    count = (ours[1].end - ours[1].begin) * 8 // bits[0]
    for first in range(0, count, PIECE):
        many = min(PIECE, count - first)
        # Elements of less than a byte begin and end at whole bytes: PIECE is a multiple of 8, and so is the whole.
        raw = [
            files.read(path, stored.begin + first * size // 8, many * size // 8)
            for (path, stored), size in zip((ours, theirs), bits, strict=True)
        ]
        if raw[0] != raw[1] and (dtypes[0] == dtypes[1] or not _equal_rounded(raw, dtypes)):
            return False
    return True


def _equal_rounded(raw: Sequence[bytes], dtypes: Sequence[str]) -> bool:
    import torch

    kinds = dict(zip(ROUNDED, (torch.float16, torch.bfloat16, torch.float32, torch.float64), strict=True))
    ours, theirs = (torch.frombuffer(bytearray(r), dtype=kinds[d]) for r, d in zip(raw, dtypes, strict=True))
    return any(bool(torch.equal(ours.to(kind), theirs.to(kind))) for kind in (ours.dtype, theirs.dtype))
