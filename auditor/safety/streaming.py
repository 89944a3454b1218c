"""One pass over the weights: their digests, and what is wrong with their numbers.

The numbers are looked at as bit patterns: without its sign, a pattern is the larger the larger the number is;
infinities come above all numbers, and NaN above those (IEEE 754). So the largest pattern of a block that lies in the
cache tells everything, while another thread hashes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from types import MappingProxyType
from typing import Any

import numpy as np

from auditor.errors import ModelError
from auditor.models.files.safetensors import StoredTensor, read_header
from auditor.safety.folder import Entry, Folder

BLOCK = 2**20
"""Bytes that are looked at at a time."""
PATTERNS: Mapping[str, tuple[str, int, int, int]] = MappingProxyType({
    "F16": ("<u2", 0x7FFF, 0x7C00, 2),
    "BF16": ("<u2", 0x7FFF, 0x7F80, 2),
    "F32": ("<u4", 0x7FFF_FFFF, 0x7F80_0000, 4),
    "F64": ("<u8", 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 8),
})  # fmt: skip
"""By dtype: the whole numbers of its size, all bits but the sign, the pattern of infinity, and bytes."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a tensor's numbers are.

    Attributes:
        largest: of their absolute values; infinite or NaN where one of them is.
        same: whether they are all the same.
    """

    stored: StoredTensor
    largest: float
    same: bool

    @property
    def zero(self) -> bool:
        return self.same and self.largest == 0.0


def read_weights(folder: Folder) -> dict[str, str]:
    """Reads every sound safetensors file of a folder once; the folder keeps what its numbers are.

    Returns:
        The SHA-256 of each file that was read.
    """
    digests = {}
    for entry in folder.entries:
        if entry.irregular or not entry.name.endswith(".safetensors"):
            continue
        try:
            tensors = read_header(entry.path)
            digests[entry.name], folder.numbers[entry.name] = read_file(entry, tensors)
        except (ModelError, OSError):
            continue  # the headers' own check says what is wrong
    return digests


def read_file(entry: Entry, tensors: tuple[StoredTensor, ...]) -> tuple[str, tuple[Numbers, ...]]:
    """A file's SHA-256, and the numbers of its tensors of a float format.

    Raises:
        OSError: it cannot be read, or ends before its tensors do.
    """
    digest, found = hashlib.sha256(), []
    with entry.open() as file, ThreadPoolExecutor(1) as pool:
        digest.update(file.read(tensors[0].begin if tensors else entry.size))
        feed = _Feed(file, pool, digest)
        for stored in tensors:
            numbers = _numbers(feed, stored)
            if numbers is not None:
                found.append(numbers)
        feed.wait()
        digest.update(file.read())
    return digest.hexdigest(), tuple(found)


class _Feed:
    """Blocks of a file in two buffers: one is hashed while the next one is read and looked at."""

    def __init__(self, file: BufferedReader, pool: ThreadPoolExecutor, digest: Any) -> None:
        self._file, self._pool, self._digest = file, pool, digest
        self._buffers = (bytearray(BLOCK), bytearray(BLOCK))
        self._waiting: list[Future[None]] = []
        self._turn = 0

    def block(self, size: int) -> memoryview:
        """The next bytes, which stay as they are until the block after the next one is asked for."""
        if len(self._waiting) > 1:
            self._waiting.pop(0).result()
        buffer = memoryview(self._buffers[self._turn])[:size]
        self._turn = 1 - self._turn
        if self._file.readinto(buffer) < size:
            raise OSError("it ends before its tensors do")
        self._waiting.append(self._pool.submit(self._digest.update, buffer))
        return buffer

    def wait(self) -> None:
        while self._waiting:
            self._waiting.pop(0).result()


def _numbers(feed: _Feed, stored: StoredTensor) -> Numbers | None:
    pattern = PATTERNS.get(stored.info.dtype)
    left = stored.end - stored.begin
    high, first, same = 0, None, True
    while left:
        block = feed.block(min(left, BLOCK))
        left -= len(block)
        if pattern is None:
            continue
        values = np.frombuffer(block, pattern[0])
        # Of patterns with a sign the largest is the negative number of the largest size, and so without one.
        high = max(high, int(values.view(pattern[0].replace("u", "i")).max()), int(values.max()) & pattern[1])
        first = values[0] if first is None else first
        # One number that is another settles it, as a rule the last one of the first block.
        same = same and bool(values[-1] == first) and bool((values == first).all())
    if pattern is None or first is None:
        return None
    # Zeros of both signs are one number.
    return Numbers(stored, value_of(high, stored.info.dtype), same or high == 0)


def value_of(bits: int, dtype: str) -> float:
    """The number of a pattern."""
    if dtype == "BF16":
        return float(np.array(bits << 16, np.uint32).view(np.float32))
    kind = {"F16": (np.uint16, np.float16), "F32": (np.uint32, np.float32), "F64": (np.uint64, np.float64)}[dtype]
    return float(np.array(bits, kind[0]).view(kind[1]))
