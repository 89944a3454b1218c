"""The arithmetic of a device, and which of several devices makes which tensor: planned beforehand, alike each time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence

from auditor.merge.layout.layout import TensorPlan
from auditor.merge.numerics.arithmetic import Arithmetic, NumpyArithmetic
from auditor.merge.tensors.header import item_size


def open_arithmetic(device: str) -> Callable[[], Arithmetic]:
    """A maker of one `Arithmetic` a thread, for `cpu` or `cuda:N`; torch is imported for the latter alone."""
    if device == "cpu":
        return NumpyArithmetic
    from auditor.merge.numerics.cuda import TorchArithmetic

    return lambda: TorchArithmetic(device)


def deal(sizes: Sequence[int], devices: int) -> tuple[int, ...]:
    """The device of each thing: the largest first, each to the device with the least so far, the first of several.

    The busiest device has at most a third more than in the best of all plans (Graham, SIAM J. Appl. Math. 17(2), 1969).

    Args:
        sizes: of the things; things of one size go in their order.
        devices: how many there are, at least one.
    """
    load = [(0, device) for device in range(devices)]
    dealt = [0] * len(sizes)
    for place in sorted(range(len(sizes)), key=lambda place: (-sizes[place], place)):
        total, device = heapq.heappop(load)
        dealt[place] = device
        heapq.heappush(load, (total + sizes[place], device))
    return tuple(dealt)


def moved(tensor: TensorPlan) -> int:
    """The bytes that go to a device and back for a tensor: every source, the measurements and the result."""
    read = sum(source.region.stop - source.region.start for source in (*tensor.inputs, *tensor.statistics))
    return read + math.prod(tensor.shape) * item_size(tensor.dtype)
