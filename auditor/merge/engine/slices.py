"""One slice at a time: read from every model, check, blend, round, hand on. What runs in the threads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from auditor.errors import ModelError, UsageError
from auditor.merge.compatibility.compatibility import FLOATS
from auditor.merge.engine.applied import Input, Place, add_low, not_finite, put_rows
from auditor.merge.engine.files import Turns
from auditor.merge.layout.layout import Layout, Source, TensorPlan
from auditor.merge.numerics.arithmetic import Arithmetic, Raw, finite_bytes
from auditor.merge.numerics.vectors import mean, squared_length
from auditor.merge.strategy import Array, Grain, Hands, Site, Strategy, Tally
from auditor.merge.tensors.header import item_size

MOST = 1 << 18
"""Elements a slice: few enough to stay near the processor from the read to the hash and the write, and so many that
threads seldom wait for their turn to hash. Half of that for strategies on task vectors, which go over them more often.
"""
LEAST = 1 << 12
"""Slices are cut at multiples of so many elements."""
SCRATCH = 22
"""Bytes of scratch an element and model, at most: as read, widened to fp64, and in the strategy's hands."""
FIXED = 64
"""Bytes of scratch an element that do not depend on the number of models: sums, flags, the rounded output."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some elements of a tensor; `last` closes it. `surveyed`: a survey of the whole tensor runs before."""

    tensor: TensorPlan
    first: int
    count: int
    last: bool
    surveyed: bool = False

    def span(self, source: Source) -> tuple[int, int]:
        """The byte range of the slice in a source's file."""
        size = item_size(source.region.dtype)
        if source.region.shape != self.tensor.shape:  # a matrix of its own, read whole
            return source.region.start, source.region.stop
        start = source.region.start + self.first * size
        return start, start + self.count * size


@dataclass(frozen=True, slots=True)
class Look:
    """A survey of a whole tensor, before its slices: they are read once more for it."""

    tensor: TensorPlan
    step: int


class Sink(Protocol):
    """What takes the blended bytes: the files of the output, or a comparison with them."""

    def write(self, tensor: TensorPlan, start: int, raw: Raw) -> None:
        """Takes a tensor's bytes for the offset `start` of its file; the bytes of a file come in order or nearly so."""
        ...


def cut(layout: Layout, strategy: Strategy, threads: int, budget: int) -> tuple[tuple[Slice | Look, ...], int]:
    """All work in the order of the output's bytes, and the number of threads that the memory budget (bytes) allows.

    A tensor that is surveyed and does not fit into one slice is looked at while the one before it is blended.

    Raises:
        UsageError: a tensor must be blended whole, and does not fit.
    """
    arrays = max((len(t.inputs) + len(t.statistics) for t in layout.tensors), default=1)
    per_element = SCRATCH * arrays + FIXED
    need = max((_together(t, strategy) for t in layout.tensors if not t.copied), default=0)
    if need > budget and need > LEAST * per_element:
        raise UsageError(
            f"the largest tensor that must be blended whole needs {need:,} bytes of memory, "
            f"more than the budget of {budget:,}",
            hint="Raise the memory budget (--memory), or choose a strategy that works element by element.",
        )
    threads = max(1, min(threads, budget // max(1, need)))
    most = max(LEAST, min(MOST // 2 if strategy.needs_base else MOST, budget // (threads * per_element)))
    work: list[Slice | Look] = []
    pending: list[Slice] = []
    for tensor in layout.tensors:
        least = 1 if tensor.copied else _least(tensor, strategy)
        # Cut at multiples of LEAST, so that what a survey sums does not depend on the memory at hand.
        unit = math.lcm(least, LEAST)
        step = max(unit, most // unit * unit) if unit <= MOST else max(least, most // least * least)
        surveyed = strategy.survey is not None and not _is_plain(tensor, strategy) and not tensor.copied
        alone = surveyed and tensor.elements > step
        if alone:
            work.append(Look(tensor, step))
        work += pending
        pending = []
        for first in range(0, tensor.elements, step):
            count = min(step, tensor.elements - first)
            pending.append(Slice(tensor, first, count, first + count == tensor.elements, alone))
        if not alone:
            work += pending
            pending = []
    return (*work, *pending), threads


def _least(tensor: TensorPlan, strategy: Strategy) -> int:
    """The elements that must stay together."""
    grain = Grain.ELEMENT if _is_plain(tensor, strategy) else strategy.grain
    if any(source.rows for source in tensor.sources) or grain is Grain.TENSOR:
        return max(1, tensor.elements)
    if grain is Grain.ROW or any(source.adapted for source in tensor.inputs):
        return max(1, tensor.shape[-1] if tensor.shape else 1)
    return 1


def _together(tensor: TensorPlan, strategy: Strategy) -> int:
    """Bytes of scratch for the elements that must stay together, with what was measured for them."""
    least = _least(tensor, strategy)
    measured = sum(math.prod(s.region.shape) for s in tensor.statistics if s.region.shape != tensor.shape)
    same = sum(s.region.shape == tensor.shape for s in tensor.statistics)
    return (least * (len(tensor.inputs) + same) + measured) * SCRATCH + least * FIXED


def _is_plain(tensor: TensorPlan, strategy: Strategy) -> bool:
    """Whether a tensor lacks what the strategy works on, and is averaged."""
    return (strategy.needs_base and tensor.base is None) or (
        strategy.statistics is not None and not tensor.statistics
    )  # fmt: skip


def reads(work: Sequence[Slice | Look]) -> Iterator[tuple[tuple[int, str], tuple[int, int]]]:
    """Every read to come that is hashed on the way, in order: (owner, file) and the byte range."""
    for part in work:
        if isinstance(part, Slice):
            for source in part.tensor.inputs:
                yield (source.owner, source.region.file), part.span(source)


@dataclass(frozen=True)
class Blender:
    """Makes slices; shared by the threads, each with its own `Arithmetic`.

    `weighs`: the tally is told how long the suspect's task vector is in each slice.
    """

    strategy: Strategy
    seed: int
    inputs: Mapping[tuple[int, str], Input]
    sink: Sink
    options: Mapping[str, Any]
    turns: Turns
    tally: Tally
    surveys: dict[tuple[str, int], Any]
    weighs: bool = False

    def look(self, part: Look, arithmetic: Arithmetic) -> None:
        """Surveys a whole tensor, and remembers what it found for its slices."""
        found = self.strategy.look(FileView(self, part.tensor, part.step, arithmetic), self.options)
        self.surveys[part.tensor.name, part.tensor.first] = found
        self.turns.tell()

    def make(self, part: Slice, arithmetic: Arithmetic) -> None:
        """Reads, blends and writes one slice.

        Raises:
            ModelError: a source holds NaN or infinite values, is truncated, or the result does not fit its dtype.
        """
        tensor = part.tensor
        start = tensor.start + part.first * item_size(tensor.dtype)
        site = Site(tensor.name, tensor.shape, tensor.first + part.first, self.seed)
        if tensor.copied:
            raw = self._read(part, tensor.sources[0], arithmetic, "0")
            if tensor.dtype in FLOATS:
                if not finite_bytes(raw, tensor.dtype):
                    raise self._not_finite(tensor.sources[0])
                if not tensor.unchanged:
                    self.tally.add(site, part.count, part.count)
            self.sink.write(tensor, start, raw)
            return
        arrays = [self.array(part, source, arithmetic, str(n)) for n, source in enumerate(tensor.inputs)]
        if self.weighs and len(arrays) > 1:
            with arithmetic.blending():
                self.tally.weigh(site, squared_length(arrays, based=tensor.base is not None))
        raw = arithmetic.encode(self._blend(part, arrays, site, arithmetic), tensor.dtype, "out")
        if not finite_bytes(raw, tensor.dtype):
            raise ModelError(
                f"tensor {tensor.name}: the merged values do not fit {tensor.dtype}, the suspect's dtype",
                hint="Convert the suspect to a wider dtype, or leave out the partner with the large values.",
            )
        self.sink.write(tensor, start, raw)

    def _blend(self, part: Slice, arrays: list[Array], site: Site, arithmetic: Arithmetic) -> Array:
        tensor, strategy = part.tensor, self.strategy
        if _is_plain(tensor, strategy):
            self.tally.add(site, tensor.weights[0] * part.count, part.count)
            with arithmetic.blending():
                return mean(arrays, tensor.shares)
        measured = [
            self.array(part, source, arithmetic, f"s{n}", own=True) for n, source in enumerate(tensor.statistics)
        ]
        shape = self._shape(part)
        arrays = [arithmetic.shaped(array, shape) for array in arrays]
        measured = [
            arithmetic.shaped(array, shape if source.region.shape == tensor.shape else source.region.shape)
            for array, source in zip(measured, tensor.statistics, strict=True)
        ]
        base = arrays.pop() if tensor.base else None
        survey = None
        if part.surveyed:
            key = tensor.name, tensor.first
            self.turns.wait(lambda: key in self.surveys)
            survey = self.surveys[key]
        elif strategy.survey is not None:
            survey = strategy.look(HeldView(arrays, base), self.options)
        hands = Hands(tensor.weights, site, tensor.shares, base, survey, measured, self.tally)
        with arithmetic.blending():
            blended = strategy.blend(arrays, hands, self.options)
        if "tally" not in strategy.supplied:
            self.tally.add(site, strategy.keep(tensor.weights, self.options) * part.count, part.count)
        if math.prod(blended.shape) != part.count:
            raise TypeError(f"strategy {strategy.name} changed the shape of {tensor.name}")
        return blended

    def _shape(self, part: Slice) -> tuple[int, ...]:
        """What the strategy sees: flat elements, whole rows, or the tensor."""
        if self.strategy.grain is Grain.TENSOR:
            return part.tensor.shape
        if self.strategy.grain is Grain.ROW and part.tensor.shape:
            row = part.tensor.shape[-1]
            return (part.count // row if row else 0, row)
        return (part.count,)

    def _read(
        self, part: Slice, source: Source, arithmetic: Arithmetic, slot: str, *, hashed: bool = True
    ) -> Raw:  # fmt: skip
        start, stop = part.span(source)
        raw = arithmetic.raw(slot, stop - start)
        file = self.inputs[source.owner, source.region.file]
        if hashed:
            file.read(start, raw)
        else:
            file.peek(start, raw)
        return raw

    def array(
        self, part: Slice, source: Source, arithmetic: Arithmetic, slot: str, *, own: bool = False, hashed: bool = True
    ) -> Array:
        """A source's elements of a slice, in the precision of the arithmetic.

        Raises:
            ModelError: they hold NaN or infinite values.
        """
        raw = self._read(part, source, arithmetic, slot, hashed=hashed and not own)
        wide = part.tensor.dtype != "F32"
        array = arithmetic.decode(raw, source.region.dtype, wide, slot)
        if not arithmetic.finite(array, raw, source.region.dtype):
            raise self._not_finite(source)
        if source.adapted:
            row = part.tensor.shape[-1]
            place = Place(part.first // row, part.count // row, row, slot, wide)
            if source.low is not None:
                array = add_low(array, source.low, place, self.inputs, arithmetic)
            if source.tokens is not None:
                array = put_rows(array, source.tokens, place, self.inputs, arithmetic)
        return arithmetic.reorder(array, source.rows) if source.rows else array

    def _not_finite(self, source: Source) -> ModelError:
        return not_finite(self.inputs[source.owner, source.region.file], source.region)


@dataclass(frozen=True)
class HeldView:
    """A tensor that is at hand already."""

    arrays: Sequence[Array]
    base: Array | None

    @property
    def elements(self) -> int:
        return math.prod(self.arrays[0].shape)

    def slices(self) -> Iterator[tuple[Sequence[Array], Array | None]]:
        """All of it at once."""
        yield [_flat(array) for array in self.arrays], None if self.base is None else _flat(self.base)

    def sample(self, elements: int) -> tuple[Sequence[Array], Array | None]:
        """Elements at even distances."""
        step = max(1, self.elements // max(1, elements))
        arrays, base = next(self.slices())
        return [array[::step] for array in arrays], None if base is None else base[::step]


def _flat(array: Array) -> Array:
    """The array flat in NumPy: surveys run on the processor."""
    flat = array.reshape(-1)
    return flat.cpu().numpy() if hasattr(flat, "cpu") else flat


RUN = 32
"""Elements that a sample reads at a stretch."""


@dataclass(frozen=True)
class FileView:
    """A tensor that is read from the files as often as the survey asks, one slice in memory at a time."""

    blender: Blender
    tensor: TensorPlan
    step: int
    arithmetic: Arithmetic

    @property
    def elements(self) -> int:
        return self.tensor.elements

    def slices(self) -> Iterator[tuple[Sequence[Array], Array | None]]:
        """Slice by slice, checked for NaN."""
        for first in range(0, self.elements, self.step):
            yield self._arrays(first, min(self.step, self.elements - first))

    def sample(self, elements: int) -> tuple[Sequence[Array], Array | None]:
        """Short runs at even distances; whole rows where a source has to be computed by rows."""
        import numpy as np

        run = RUN
        if any(source.adapted for source in self.tensor.inputs):
            run = self.tensor.shape[-1]
        total = self.elements // run
        step = max(1, total * run // max(1, elements))
        gathered: list[list[Any]] = []
        for number in range(0, total, step):
            arrays, base = self._arrays(number * run, run)
            every = [*arrays, base] if base is not None else list(arrays)
            if not gathered:
                gathered = [[] for _ in every]
            for mine, array in zip(gathered, every, strict=True):
                mine.append(array.copy())
        joined = [np.concatenate(parts) for parts in gathered]
        return (joined[:-1], joined[-1]) if self.tensor.base else (joined, None)

    def _arrays(self, first: int, count: int) -> tuple[list[Array], Array | None]:
        if self.blender.turns.stopped:
            self.blender.turns.wait(lambda: False)
        part = Slice(self.tensor, first, count, False)
        arrays = [
            _flat(self.blender.array(part, source, self.arithmetic, str(n), hashed=False))
            for n, source in enumerate(self.tensor.inputs)
        ]
        base = arrays.pop() if self.tensor.base else None
        return arrays, base
