"""An adapter's changes worked into some rows of its base's tensor. What runs in the threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from auditor.errors import ModelError
from auditor.merge.numerics.arithmetic import Arithmetic, Raw
from auditor.merge.strategy import Array
from auditor.merge.tensors.header import Region, item_size
from auditor.merge.tensors.tables import Low, Rows


class Input(Protocol):
    """What slices are read from: a file of a model, on the disk or held in memory."""

    @property
    def owner(self) -> str:
        """Whose file it is."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    def read(self, start: int, into: Raw) -> None:
        """Fills `into` with the bytes from `start` on; every range once, and in the order of the slices."""
        ...

    def peek(self, start: int, into: Raw) -> None:
        """The same, at any time and as often as one likes."""
        ...


Inputs = Mapping[tuple[int, str], Input]
"""The files by owner and name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which rows of a tensor are at hand: the first, how many, and elements a row; and where the scratch lies."""

    first: int
    count: int
    row: int
    slot: str
    wide: bool


def add_low(array: Array, low: Low, place: Place, inputs: Inputs, arithmetic: Arithmetic) -> Array:
    """Adds scale · up · down to a base's rows (flat). The product is in double precision, and rounded with the sum.

    Raises:
        ModelError: the factors hold NaN or infinite values.
    """
    wide = replace(place, wide=True)

    def factor(region: Region, span: tuple[int, int], name: str, shape: tuple[int, ...]) -> Array:
        found = _read(low.owner, region, span, f"{place.slot}:{name}", wide, inputs, arithmetic)
        return arithmetic.shaped(found, shape)

    rank, outputs = low.down.shape[0], low.up.shape[0]
    step = rank * item_size(low.up.dtype)
    first = low.up.start + place.first * step
    down = factor(low.down, (low.down.start, low.down.stop), "down", low.down.shape)
    if low.turned:
        # The rows at hand are columns of the first factor, which lie apart: both are read whole.
        up = factor(low.up, (low.up.start, low.up.stop), "up", (outputs, rank))
    else:
        up = factor(low.up, (first, first + place.count * step), "up", (place.count, rank))
    with arithmetic.blending():
        change = down[:, place.first : place.first + place.count].T @ up.T if low.turned else up @ down
        change *= low.scale
        array += change.reshape(-1)
    return array


def put_rows(array: Array, tokens: Rows, place: Place, inputs: Inputs, arithmetic: Arithmetic) -> Array:
    """Puts an adapter's rows in the place of a base's (flat).

    Raises:
        ModelError: they hold NaN or infinite values.
    """
    size = place.row * item_size(tokens.region.dtype)
    for number, index in enumerate(tokens.indices):
        if place.first <= index < place.first + place.count:
            start = tokens.region.start + number * size
            new = _read(
                tokens.owner, tokens.region, (start, start + size), f"{place.slot}:tokens", place, inputs, arithmetic
            )
            begin = (index - place.first) * place.row
            array[begin : begin + place.row] = new
    return array


def _read(
    owner: int, region: Region, span: tuple[int, int], slot: str, place: Place, inputs: Inputs, arithmetic: Arithmetic
) -> Array:
    raw = arithmetic.raw(slot, span[1] - span[0])
    file = inputs[owner, region.file]
    file.peek(span[0], raw)
    found = arithmetic.decode(raw, region.dtype, place.wide, slot)
    if not arithmetic.finite(found, raw, region.dtype):
        raise not_finite(file, region)
    return found


def not_finite(file: Input, region: Region) -> ModelError:
    """The error that a tensor is no sound one."""
    return ModelError(
        f"{file.owner}: tensor {region.name} in {file.path} holds NaN or infinite values",
        hint="Leave the model out, or take a sound copy of it.",
    )
