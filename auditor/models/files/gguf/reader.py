"""The header of a GGUF file: its metadata and its tensors, read with bounds; the weights themselves are not touched.

A file is the magic bytes, a version, the counts of tensors and of metadata, the metadata as keys with typed values, one
entry for each tensor (name, shape, format, offset), and then the tensors' bytes from the next multiple of the alignment
on (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3). All numbers are little-endian.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from auditor.errors import ModelError
from auditor.models.files.untrusted import AGAIN
from probes.reading import open_regular

SUFFIX = ".gguf"
MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
MAX_HEADER = 512_000_000
"""Bytes of a header, at most: a vocabulary of a million tokens with its merges takes a tenth of that."""
MAX_TENSORS = 1_000_000
MAX_DIMENSIONS = 4
STRING, ARRAY = 8, 9
NUMBERS: Mapping[int, str] = MappingProxyType(
    {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
)
"""How the types of metadata values are packed, beside text and lists."""
FORMATS: Mapping[int, tuple[str, int, int]] = MappingProxyType({
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
})  # fmt: skip
"""By the number in the file: a format's name, elements a block, and bytes a block."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor: its name, shape (rows first), format, and where its bytes lie, from the start of the file."""

    name: str
    shape: tuple[int, ...]
    format: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself; `start` is where the tensors' bytes begin, `size` the file's."""

    version: int
    metadata: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]
    start: int
    size: int


def read_gguf(path: Path) -> GgufHeader:
    """The header of a GGUF file.

    Raises:
        ModelError: it is truncated, damaged, no GGUF, or of a version or format that is not known.
    """
    try:
        with open_regular(path) as file:
            return _Parser(path, file, os.fstat(file.fileno()).st_size).header()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


class _Parser:
    """Reads a file front to back and never beyond its end, or beyond what a header may take."""

    def __init__(self, path: Path, file: IO[bytes], size: int) -> None:
        self._path = path
        self._file = file
        self._size = size
        self._at = 0

    def header(self) -> GgufHeader:
        if (magic := self._take(4, "its magic bytes")) != MAGIC:
            raise self._damaged(f"it begins with {magic!r}, not with {MAGIC!r}")
        version = self._number("<I", "its version")
        if version not in VERSIONS:
            raise ModelError(
                f"{self._path} is of GGUF version {version}; versions {VERSIONS[0]} and {VERSIONS[1]} are read",
                hint="Convert it with a present llama.cpp, which writes version 3.",
            )
        count, pairs = self._number("<Q", "the number of its tensors"), self._number("<Q", "the number of its keys")
        if count > MAX_TENSORS or pairs > MAX_TENSORS:
            raise self._damaged(f"it promises {count:,} tensors and {pairs:,} keys of metadata")
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._text("a key of its metadata")
            if key in metadata:
                raise self._damaged(f"the key {key!r} stands in its metadata twice")
            metadata[key] = self._value(self._number("<I", f"the type of {key}"), key)
        entries = [self._entry() for _ in range(count)]
        alignment = metadata.get("general.alignment", ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._damaged(f"its alignment is {alignment!r}")
        start = -(-self._at // alignment) * alignment
        return GgufHeader(
            version, MappingProxyType(metadata), self._placed(entries, start, alignment), start, self._size
        )

    def _placed(
        self, entries: list[tuple[str, tuple[int, ...], int, int]], start: int, alignment: int
    ) -> tuple[GgufTensor, ...]:
        """The tensors in the order of their bytes, none over another, all within the file."""
        found = []
        for name, shape, kind, offset in entries:
            if kind not in FORMATS:
                raise ModelError(
                    f"{self._path}: tensor {name!r} is of the format {kind}, which is not known",
                    hint="Take the model in another format (Q4_K_M, Q8_0, F16, …).",
                )
            called, block, size = FORMATS[kind]
            if (shape[-1] if shape else 1) % block:
                raise self._damaged(f"rows of tensor {name!r} {shape} are no whole blocks of {called}")
            begin = start + offset
            found.append(GgufTensor(name, shape, called, begin, begin + math.prod(shape) // block * size))
            if offset % alignment:
                raise self._damaged(f"tensor {name!r} is not aligned")
        if len({tensor.name for tensor in found}) != len(found):
            raise self._damaged("two of its tensors have one name")
        found.sort(key=lambda tensor: (tensor.begin, tensor.end))
        at = start
        for tensor in found:
            if tensor.begin < at:
                raise self._damaged(f"tensor {tensor.name!r} overlaps the one before it")
            if tensor.end > self._size:
                raise self._damaged(
                    f"truncated: tensor {tensor.name!r} would end at {tensor.end:,} bytes, the file has {self._size:,}"
                )
            at = tensor.end
        return tuple(found)

    def _entry(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text("the name of a tensor")
        dimensions = self._number("<I", f"the shape of {name}")
        if dimensions > MAX_DIMENSIONS:
            raise self._damaged(f"tensor {name!r} has {dimensions} dimensions")
        # Stored with the one that moves fastest first.
        shape = tuple(reversed([self._number("<Q", f"the shape of {name}") for _ in range(dimensions)]))
        return name, shape, self._number("<I", f"the format of {name}"), self._number("<Q", f"the place of {name}")

    def _value(self, kind: int, key: str) -> Any:
        if kind == STRING:
            return self._text(key)
        if kind == ARRAY:
            inner, count = self._number("<I", key), self._number("<Q", key)
            if inner == STRING:
                self._require(8 * count, key)
                return tuple(self._text(key) for _ in range(count))
            if inner in NUMBERS:
                form = NUMBERS[inner]
                return struct.unpack(f"<{count}{form[1]}", self._take(count * struct.calcsize(form), key))
            raise self._damaged(f"{key} is a list of values of type {inner}")
        if kind in NUMBERS:
            return self._number(NUMBERS[kind], key)
        raise self._damaged(f"{key} is of the type {kind}, which is not known")

    def _number(self, form: str, what: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form), what))[0]

    def _text(self, what: str) -> str:
        raw = self._take(self._number("<Q", what), what)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self._damaged(f"{what} is no UTF-8 text") from None

    def _take(self, count: int, what: str) -> bytes:
        self._require(count, what)
        raw = self._file.read(count)
        self._at += count
        if len(raw) < count:
            raise self._damaged(f"it ends within {what}")
        return raw

    def _require(self, count: int, what: str) -> None:
        if self._at + count > self._size:
            raise self._damaged(f"it ends within {what}")
        if self._at + count > MAX_HEADER:
            raise self._damaged(f"its header would take more than {MAX_HEADER:,} bytes")

    def _damaged(self, what: str) -> ModelError:
        return ModelError(f"{self._path} is damaged: {what}", hint=AGAIN)
