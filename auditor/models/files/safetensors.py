"""What may be read of a model that nobody vouches for: safetensors whose header holds, and no code.

Files are parsed here, never loaded: a pickle runs code when it is opened, so it is refused by its name alone. A
safetensors file is 8 bytes of header length (little-endian), a JSON header, and the tensors' bytes without gap or
overlap (https://huggingface.co/docs/safetensors, "Format").
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TypeGuard

from auditor.errors import ModelError, UsageError
from auditor.models.files.cache import listed
from auditor.models.files.untrusted import AGAIN, is_plain_name, listed_few, read_json, unique
from auditor.models.files.weight_sets import OTHER_FORMATS, is_weights, names_in, refuse_folded, weights_beside
from probes.reading import open_regular, parse_json
from store.records import TensorInfo

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_HEADER = 100_000_000
MAX_DIMENSIONS = 64
"""Of a tensor; PyTorch has no more."""
DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "C64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a safetensors file: what it is, and where its bytes lie (offsets from the start of the file)."""

    info: TensorInfo
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight files of a directory, in the order in which they are read, and all their tensors.

    `files` are names inside the directory; `index` is the index file's name where the model is sharded; `notes` say
    what other weights lie beside them.
    """

    files: tuple[str, ...]
    tensors: tuple[TensorInfo, ...]
    index: str | None = None
    notes: tuple[str, ...] = ()


def read_header(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Raises:
        ModelError: truncated, damaged, or not safetensors; the message names the file and the place.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = read_head(path, file, size)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    return parse_head(path, head, size)


def read_head(path: Path, file: IO[bytes], size: int) -> bytes:
    """The bytes before the tensors of an opened file of `size` bytes: the header's length, and the header.

    Raises:
        OSError: it cannot be read.
        ModelError: no header fits in a file of this size.
    """
    lead = file.read(8)
    if len(lead) < 8:
        raise _damaged(path, f"it is {size} bytes long; the header's length alone takes 8")
    length = int.from_bytes(lead, "little")
    if length > MAX_HEADER:
        raise _damaged(path, f"its header would be {length:,} bytes long; at most {MAX_HEADER:,} are taken")
    if length < 2 or 8 + length > size:
        raise _damaged(path, f"a header of {length:,} bytes does not fit in a file of {size:,}")
    return lead + file.read(length)


def parse_head(path: Path, head: bytes, size: int) -> tuple[StoredTensor, ...]:
    """The tensors that the bytes of `read_head` promise, in the order of their bytes.

    Raises:
        ModelError: they are damaged, or promise another size than the file has.
    """
    raw, start = head[8:], len(head)
    try:
        header = parse_json(raw, hook=unique)
    except ValueError as error:
        raise _damaged(path, f"its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    tensors = [_stored(path, name, entry, start) for name, entry in header.items() if name != "__metadata__"]
    tensors.sort(key=lambda t: (t.begin, t.end))
    at = start
    for tensor in tensors:
        if tensor.begin != at:
            what = "overlaps the one before it" if tensor.begin < at else "leaves a gap before it"
            raise _damaged(path, f"tensor {tensor.info.name!r} {what}")
        at = tensor.end
    if at != size:
        what = "truncated" if at > size else "followed by bytes that belong to no tensor"
        raise _damaged(path, f"{what}: its header promises {at:,} bytes, the file has {size:,}")
    return tuple(tensors)


def _stored(path: Path, name: str, entry: object, start: int) -> StoredTensor:
    """One entry of a header, checked."""
    if not isinstance(entry, dict):
        raise _damaged(path, f"the entry of tensor {name!r} is no object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _damaged(path, f"tensor {name!r} has the unknown dtype {dtype!r}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"the shape or the offsets of tensor {name!r} are off")
    if len(shape) > MAX_DIMENSIONS:
        raise _damaged(path, f"tensor {name!r} has {len(shape):,} dimensions; at most {MAX_DIMENSIONS} are taken")
    if math.prod(shape) * DTYPE_BITS[dtype] != 8 * (offsets[1] - offsets[0]):
        raise _damaged(
            path, f"tensor {name!r}: shape {shape} of {dtype} does not take {offsets[1] - offsets[0]:,} bytes"
        )
    return StoredTensor(TensorInfo(name, tuple(shape), dtype), start + offsets[0], start + offsets[1])


def _counts(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 2**63 for v in value)


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(f"{path} is damaged: {what}", hint=AGAIN)


def find_weights(directory: Path) -> Weights:
    """The safetensors files of a model directory and the tensors in them.

    Raises:
        UsageError: there are no weights at all.
        ModelError: weights of another format only, a damaged file, an index that does not fit its files, or a second
            set of weights that a loader may take instead.
    """
    names = names_in(directory)
    refuse_folded(directory, names, (WEIGHTS, INDEX))
    stale: tuple[str, ...] = ()
    if WEIGHTS in names:
        tensors = (t.info for t in read_header(directory / WEIGHTS))
        found = Weights((WEIGHTS,), tuple(sorted(tensors, key=lambda t: t.name)))
        if INDEX in names:
            places = set(_places(directory / INDEX).values())
            if any(not is_plain_name(name) or (directory / name).is_file() for name in places):
                # One that names this very file says the same as no index; any other makes a second set below.
                found = _sharded(directory)
            else:
                stale = (f"{INDEX} names files that are not there: it is left aside, as loaders do.",)
    elif INDEX in names:
        found = _sharded(directory)
    else:
        _refuse_without_weights(directory, names)
        raise UsageError(
            f"{directory} holds no weights: neither {WEIGHTS} nor {INDEX}",
            hint="Was the model saved, or fetched, to the end? It takes config.json, weights and a tokenizer.",
        )
    refuse_folded(directory, names, found.files)
    everything = {*names, *listed(directory)}
    beside = weights_beside(directory, everything, found.files, indexed=found.index is not None)
    return replace(found, notes=(*stale, *beside))


def _refuse_without_weights(directory: Path, names: list[str]) -> None:
    """Says what lies there instead of the expected weights, if anything does."""
    loose = [n for n in names if n.endswith(".safetensors")]
    here = [n for n in loose if "/" not in n]
    if here:
        raise ModelError(
            f"{directory} has {listed_few(here)}, but neither {WEIGHTS} nor {INDEX}",
            hint=f"Rename a single weight file to {WEIGHTS}; a model in several files needs its {INDEX}.",
        )
    other = [n for n in names if n.endswith(OTHER_FORMATS) and is_weights(n) and "/" not in n]
    if other:
        raise ModelError(
            f"{directory} has its weights only as {listed_few(other)}; only safetensors are read, since opening other "
            "formats may run code",
            hint="Ask for a safetensors version, or convert it where running its code does no harm: load it with "
            "transformers there and call save_pretrained(directory), which writes model.safetensors.",
        )
    if loose:
        folder = loose[0].partition("/")[0]
        raise UsageError(
            f"{directory} holds no weights itself; {listed_few(loose)} lies in a subfolder",
            hint=f"Give {directory / folder}, if config.json and the tokenizer lie there too.",
        )


def _places(index: Path) -> dict[str, str]:
    """An index's map of tensor names to files."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(v, str) for v in places.values()):
        raise ModelError(f"{index} is damaged: it has no weight_map of names to files", hint=AGAIN)
    return places


def _sharded(directory: Path) -> Weights:
    """Weights in several files, as their index says; index and files must say the same."""
    index = directory / INDEX
    places = _places(index)
    files = sorted(set(places.values()))
    found: dict[str, tuple[str, TensorInfo]] = {}
    for name in files:
        if not is_plain_name(name) or not name.endswith(".safetensors"):
            raise ModelError(
                f"{index} names the file {name!r}; only safetensors files beside the index are read",
                hint="An index that points elsewhere may be an attack: take the model from a source that you trust.",
            )
        if not (directory / name).is_file():
            raise ModelError(f"{directory} lacks {name}, which {INDEX} names", hint="Fetch the missing file.")
        for tensor in read_header(directory / name):
            info = tensor.info
            if info.name in found:
                raise ModelError(
                    f"{directory}: tensor {info.name!r} is in {found[info.name][0]} and in {name}", hint=AGAIN
                )
            found[info.name] = (name, info)
    for tensor_name, name in places.items():
        if found.get(tensor_name, ("",))[0] != name:
            raise ModelError(
                f"{directory}: tensor {tensor_name!r} is not in {name}, where {INDEX} says it is", hint=AGAIN
            )
    stray = sorted(found.keys() - places.keys())
    if stray:
        raise ModelError(f"{directory}: tensor {stray[0]!r} is in {found[stray[0]][0]}, but not in {INDEX}", hint=AGAIN)
    return Weights(tuple(files), tuple(found[n][1] for n in sorted(found)), INDEX)
