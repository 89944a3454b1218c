"""One slice at a time: read from every model, check, blend, round, hand on. What runs in the threads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from auditor.errors import ModelError, UsageError
from auditor.merge.arithmetic import Arithmetic, Raw, finite_bytes
from auditor.merge.files import InputFile
from auditor.merge.header import item_size
from auditor.merge.inventory import FLOATS
from auditor.merge.layout import Layout, Source, TensorPlan
from auditor.merge.strategy import Array, Site, Strategy

MOST = 1 << 20
"""Elements a slice: its bytes of all models stay in the processor's cache from the read to the hash and the write."""
LEAST = 1 << 12
SCRATCH = 12
"""Bytes of scratch an element and model, at most, for the usual dtypes: as read, widened, rounded."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some elements of a tensor; `last` closes it."""

    tensor: TensorPlan
    first: int
    count: int
    last: bool

    def span(self, source: Source) -> tuple[int, int]:
        """The byte range of the slice in a source's file."""
        size = item_size(source.region.dtype)
        start = source.region.start + self.first * size
        return start, start + self.count * size


class Sink(Protocol):
    """What takes the blended bytes: the files of the output, or a comparison with them."""

    def write(self, tensor: TensorPlan, start: int, raw: Raw) -> None:
        """Takes a tensor's bytes for the offset `start` of its file; the bytes of a file come in order or nearly so."""
        ...


def cut(layout: Layout, elementwise: bool, threads: int, budget: int) -> tuple[tuple[Slice, ...], int]:
    """All slices in the order of the output's bytes, and the number of threads that the memory budget (bytes) allows.

    Raises:
        UsageError: a tensor must be blended whole, and does not fit.
    """
    per_element = SCRATCH * (len(layout.models) + 1)
    whole = max((t.elements for t in layout.tensors if not t.copied and _is_whole(t, elementwise)), default=0)
    if whole * per_element > budget:
        raise UsageError(
            f"the largest tensor that must be blended whole needs {whole * per_element:,} bytes of memory, "
            f"more than the budget of {budget:,}",
            hint="raise the memory budget, or choose a strategy that works element by element",
        )
    threads = max(1, min(threads, budget // max(1, whole * per_element)))
    most = max(LEAST, min(MOST, budget // (threads * per_element)))
    slices: list[Slice] = []
    for tensor in layout.tensors:
        step = max(1, tensor.elements) if not tensor.copied and _is_whole(tensor, elementwise) else most
        for first in range(0, tensor.elements, step):
            count = min(step, tensor.elements - first)
            slices.append(Slice(tensor, first, count, first + count == tensor.elements))
    return tuple(slices), threads


def _is_whole(tensor: TensorPlan, elementwise: bool) -> bool:
    return not elementwise or any(source.rows for source in tensor.sources)


def reads(slices: tuple[Slice, ...]) -> Iterator[tuple[tuple[int, str], tuple[int, int]]]:
    """Every read to come, in order: (model, file) and the byte range."""
    for part in slices:
        for source in part.tensor.inputs:
            yield (source.model, source.region.file), part.span(source)


@dataclass(frozen=True)
class Blender:
    """Makes slices; shared by the threads, each with its own `Arithmetic`."""

    strategy: Strategy
    seed: int
    inputs: Mapping[tuple[int, str], InputFile]
    sink: Sink
    options: Mapping[str, Any]

    def make(self, part: Slice, arithmetic: Arithmetic) -> None:
        """Reads, blends and writes one slice.

        Raises:
            ModelError: a source holds NaN or infinite values, is truncated, or the result does not fit its dtype.
        """
        tensor = part.tensor
        start = tensor.start + part.first * item_size(tensor.dtype)
        if tensor.copied:
            raw = self._read(part, tensor.sources[0], arithmetic, "0")
            if tensor.dtype in FLOATS and not finite_bytes(raw, tensor.dtype):
                raise self._not_finite(tensor.sources[0])
            self.sink.write(tensor, start, raw)
            return
        arrays = [self._array(part, source, arithmetic) for source in tensor.inputs]
        whole = not self.strategy.elementwise
        if whole:
            arrays = [arithmetic.shaped(array, tensor.shape) for array in arrays]
        base = arrays.pop() if tensor.base else None
        site = Site(tensor.name, tensor.shape, part.first, self.seed)
        with arithmetic.blending():
            blended = self.strategy.blend(arrays, weights=tensor.weights, base=base, site=site, options=self.options)
        if math.prod(blended.shape) != part.count:
            raise TypeError(f"strategy {self.strategy.name} changed the shape of {tensor.name}")
        raw = arithmetic.encode(blended, tensor.dtype, "out")
        if not finite_bytes(raw, tensor.dtype):
            raise ModelError(
                f"tensor {tensor.name}: the merged values do not fit {tensor.dtype}, the suspect's dtype",
                hint="convert the suspect to a wider dtype, or leave out the partner with the large values",
            )
        self.sink.write(tensor, start, raw)

    def _read(self, part: Slice, source: Source, arithmetic: Arithmetic, slot: str) -> Raw:
        start, stop = part.span(source)
        raw = arithmetic.raw(slot, stop - start)
        self.inputs[source.model, source.region.file].read(start, raw)
        return raw

    def _array(self, part: Slice, source: Source, arithmetic: Arithmetic) -> Array:
        slot = str(source.model)
        raw = self._read(part, source, arithmetic, slot)
        array = arithmetic.decode(raw, source.region.dtype, part.tensor.dtype == "F64", slot)
        if not arithmetic.finite(array):
            raise self._not_finite(source)
        return arithmetic.reorder(array, source.rows) if source.rows else array

    def _not_finite(self, source: Source) -> ModelError:
        file = self.inputs[source.model, source.region.file]
        return ModelError(
            f"{file.owner}: tensor {source.region.name} in {file.path} holds NaN or infinite values",
            hint="such a model cannot be merged: leave it out, or take a sound copy",
        )
