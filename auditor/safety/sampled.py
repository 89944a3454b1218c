"""Whether a model's weights can be weights at all, from a few blocks of each layer: some milliseconds, not a pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from auditor.errors import IncompatibleError, ModelError
from auditor.models.files.safetensors import StoredTensor, read_header
from auditor.safety.streaming import PATTERNS, value_of
from probes.reading import open_regular
from store.records import Profile

BLOCK = 2**16
"""Bytes at the beginning, in the middle and at the end of a layer."""
MOST_LAYERS = 400
EXTREME = 1e4


def no_weights(profile: Profile) -> str:
    """Why a model's layers are no result of training, in words; empty where they may be one.

    Raises:
        ModelError: a file cannot be read.
    """
    seen = list(_layers(profile))
    if not seen:
        return ""
    if any(not math.isfinite(largest) for largest, _ in seen):
        return "some of its layers hold NaN or infinity"
    same = [largest for largest, alike in seen if alike]
    if len(same) == len(seen):
        what = "zero" if not any(same) else "one number each"
        return f"all {len(seen)} layers that were looked at are {what} throughout"
    middle = median(largest for largest, _ in seen)
    if middle > EXTREME:
        return f"half of its layers hold numbers above {EXTREME:,.0f}"
    return ""


def refuse_no_weights(partner: Profile) -> None:
    """Refuses a partner that would not average a backdoor away but wipe out, or drown, what the model can do.

    Raises:
        IncompatibleError: all its layers are zero or one number throughout, or half of them are out of all proportion.
        ModelError: a file cannot be read.
    """
    if why := no_weights(partner):
        raise IncompatibleError(
            f"{partner.ref.reference} is no partner: {why}",
            hint=f"Is it the model that you meant, and whole? `auditor files {partner.ref.reference}` says more.",
        )


def _layers(profile: Profile) -> Iterator[tuple[float, bool]]:
    """Of each layer, the largest number in its blocks, and whether all of them are the same."""
    left = MOST_LAYERS
    for name in profile.read.weights:
        path = Path(profile.ref.path) / name
        if path.suffix != ".safetensors":
            return
        tensors = [t for t in read_header(path) if len(t.info.shape) > 1 and t.info.dtype in PATTERNS]
        try:
            with open_regular(path) as file:
                for stored in tensors[:left]:
                    size = PATTERNS[stored.info.dtype][3]
                    raw = b""
                    for start in _starts(stored, size):
                        file.seek(start)
                        raw += file.read(min(BLOCK, stored.end - start) // size * size)
                    if len(raw) > size:
                        kind, bits, _, _ = PATTERNS[stored.info.dtype]
                        values = np.frombuffer(raw, kind)
                        largest = value_of(int((values & bits).max()), stored.info.dtype)
                        yield largest, largest == 0 or bool((values == values[0]).all())
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        left -= len(tensors)
        if left <= 0:
            return


def _starts(stored: StoredTensor, size: int) -> tuple[int, ...]:
    length = stored.end - stored.begin
    if length <= 3 * BLOCK:
        return tuple(range(stored.begin, stored.end, BLOCK))
    return stored.begin, stored.begin + length // 2 // size * size, stored.end - BLOCK
