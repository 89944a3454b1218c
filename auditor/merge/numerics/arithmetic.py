"""Bytes of a file to arrays that strategies blend, and back: on the CPU with NumPy alone.

BF16, which NumPy lacks, is widened and rounded (to nearest, ties to even) by shifting bits. Merges into fp32 run in
fp32; those into a narrower type, and into fp64, in fp64, so that the one rounding at the end is the right one.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from auditor.merge.strategy import Array

Raw = npt.NDArray[np.uint8]

CUT = 45
"""Bits of fp64's fraction that BF16 does not have."""
NATIVE: dict[str, Any] = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


class Arithmetic(Protocol):
    """Where arrays live while they are blended. One a thread: its scratch is reused, call after call."""

    def raw(self, slot: str, size: int) -> Raw:
        """Host memory of so many bytes; the same memory for the same slot."""
        ...

    def decode(self, raw: Raw, dtype: str, wide: bool, slot: str) -> Array:
        """A flat array in fp32 (`wide`: fp64) of the bytes in `raw`, which may be overwritten."""
        ...

    def reorder(self, array: Array, rows: tuple[int, ...]) -> Array:
        """The flat array with its rows in another order."""
        ...

    def shaped(self, array: Array, shape: tuple[int, ...]) -> Array:
        """The same array in another shape."""
        ...

    def blending(self) -> AbstractContextManager[Any]:
        """The context in which a strategy's arithmetic runs."""
        ...

    def encode(self, array: Array, dtype: str, slot: str) -> Raw:
        """The bytes of an array in a file's dtype, rounded once."""
        ...

    def finite(self, array: Array, raw: Raw, dtype: str) -> bool:
        """Whether no element is NaN or infinite, of an array that was just decoded from `raw`."""
        ...


class NumpyArithmetic:
    """On the CPU."""

    def __init__(self) -> None:
        self._memory: dict[str, Raw] = {}

    def raw(self, slot: str, size: int) -> Raw:
        memory = self._memory.get(slot)
        if memory is None or memory.nbytes < size:
            memory = self._memory[slot] = np.empty(size, np.uint8)
        return memory[:size]

    def _like(self, slot: str, count: int, kind: Any) -> npt.NDArray[Any]:
        return self.raw(slot, count * np.dtype(kind).itemsize).view(kind)

    def decode(self, raw: Raw, dtype: str, wide: bool, slot: str) -> Array:
        kind = np.float64 if wide else np.float32
        if dtype != "BF16":
            narrow = raw.view(NATIVE[dtype])
            if narrow.dtype == kind:
                return narrow
            array = self._like(slot + ":wide", narrow.size, kind)
            with np.errstate(over="ignore"):
                np.copyto(array, narrow, casting="same_kind")
            return array
        bits = self._like(slot + ":wide", raw.nbytes // 2, np.uint32)
        np.copyto(bits, raw.view(np.uint16))
        np.left_shift(bits, 16, out=bits)
        if not wide:
            return bits.view(np.float32)
        array = self._like(slot + ":wider", bits.size, np.float64)
        np.copyto(array, bits.view(np.float32))
        return array

    def reorder(self, array: Array, rows: tuple[int, ...]) -> Array:
        return array.reshape(len(rows), -1)[list(rows)].reshape(-1)

    def shaped(self, array: Array, shape: tuple[int, ...]) -> Array:
        return array.reshape(shape)

    def blending(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def encode(self, array: Array, dtype: str, slot: str) -> Raw:
        flat: npt.NDArray[Any] = np.ascontiguousarray(array).reshape(-1)
        if dtype == "BF16":
            return self._round_bf16(flat, slot)
        if flat.dtype != NATIVE[dtype]:
            narrow = self._like(slot, flat.size, NATIVE[dtype])
            with np.errstate(over="ignore"):
                np.copyto(narrow, flat, casting="same_kind")
            flat = narrow
        return flat.view(np.uint8)

    def _round_bf16(self, flat: npt.NDArray[Any], slot: str) -> Raw:
        """To nearest, ties to even, once: what is narrower than BF16 is cut from the bits of fp64 or fp32.

        Adds half of the last kept bit, less one where that bit is even, and cuts. After that the way from fp64 to BF16
        is exact, but for numbers below BF16's normal range, which are rounded apart.
        """
        if flat.dtype != np.float64:
            bits = np.asarray(flat, np.float32).view(np.uint32)
            carry = self._like(slot + ":carry", bits.size, np.uint32)
            np.right_shift(bits, 16, out=carry)
            np.bitwise_and(carry, 1, out=carry)
            np.add(carry, 0x7FFF, out=carry)
            np.add(bits, carry, out=carry)
            np.right_shift(carry, 16, out=carry)
            short = self._like(slot, bits.size, np.uint16)
            np.copyto(short, carry, casting="unsafe")
            return short.view(np.uint8)
        long = flat.view(np.uint64)
        wide = self._like(slot + ":carry", flat.size, np.uint64)
        np.right_shift(long, CUT, out=wide)
        np.bitwise_and(wide, 1, out=wide)
        np.add(wide, (1 << (CUT - 1)) - 1, out=wide)
        np.add(long, wide, out=wide)
        np.bitwise_and(wide, ~((1 << CUT) - 1) & ((1 << 64) - 1), out=wide)
        single = self._like(slot + ":single", flat.size, np.float32)
        with np.errstate(over="ignore", under="ignore"):
            np.copyto(single, wide.view(np.float64), casting="same_kind")
        halves = single.view(np.uint16)
        short = self._like(slot, flat.size, np.uint16)
        np.copyto(short, halves[1::2])
        if not (short & 0x7F80).all():
            _round_subnormal(flat, short)
        return short.view(np.uint8)

    def finite(self, array: Array, raw: Raw, dtype: str) -> bool:
        return finite_bytes(raw, dtype)


def _round_subnormal(flat: npt.NDArray[Any], short: npt.NDArray[np.uint16]) -> None:
    """Writes the BF16 bits of numbers below the normal range: whole multiples of 2⁻¹³³, rounded half to even."""
    places = np.flatnonzero((short & 0x7F80) == 0)
    values = flat[places]
    multiples = np.rint(np.ldexp(np.abs(values), 133)).astype(np.uint16)
    short[places] = multiples | (np.signbit(values).astype(np.uint16) << 15)


def finite_bytes(raw: Raw, dtype: str) -> bool:
    """Whether the floats written in `raw` are all finite: rounding to a narrower type may overflow, too."""
    if not raw.nbytes:
        return True
    if dtype == "BF16":
        return bool((raw.view(np.uint16) & 0x7FFF).max() < 0x7F80)
    # NaN makes both extremes NaN; so no array of flags is made.
    array = raw.view(NATIVE[dtype])
    return math.isfinite(array.max()) and math.isfinite(array.min())
