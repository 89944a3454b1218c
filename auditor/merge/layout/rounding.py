"""What is lost where an adapter's small changes are added to a base that is stored in half precision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from auditor.merge.compatibility.changes import change_at
from auditor.merge.compatibility.weight_sample import opened, rounded
from auditor.merge.tensors.tables import Piece, Table
from auditor.models.files.adapter import ADAPTER_WEIGHTS, Adapter, Factors

HALF = frozenset({"F16", "BF16"})
MATRICES = 8
ROWS = 4
"""Matrices that are looked into, and rows of each."""


def rounding_note(name: str, path: Path, adapter: Adapter, table: Table, base: Path) -> str | None:
    """How much of an adapter's change the base's dtype rounds off; None where the base is stored in full precision.

    Args:
        name: the adapter's reference, and `path` its directory.
        table: the base's tensors with the changes; `base` is the base's directory.

    Raises:
        ModelError: a file is missing, or ends too early.
    """
    pieces = _spread(adapter.factors, table)
    if not pieces:
        return None
    lost = moved = 0.0
    count = 0
    with opened(path / ADAPTER_WEIGHTS) as read:
        for piece, factors in pieces:
            rows, width = factors.shape
            chosen = sorted({round(i * (rows - 1) / (ROWS - 1)) for i in range(ROWS)})
            runs = [(row * width, width) for row in chosen]
            change = change_at(read, factors, runs)
            with opened(base / piece.region.file) as under:
                sums = under(piece.region, runs) + change
            error = rounded(sums, piece.dtype) - sums
            if np.isfinite(error).all():
                lost, moved, count = lost + float(error @ error), moved + float(change @ change), count + change.size
    if not moved:
        return None
    dtypes = ", ".join(sorted({piece.dtype for piece, _ in pieces}))
    return (
        f"the base is stored as {dtypes}: sums are made in single precision or better, and rounding them to it loses "
        f"{math.sqrt(lost / moved):.1%} of what {name} changes (root mean square over {count:,} sampled weights)"
    )


def _spread(factors: Mapping[str, Factors], table: Table) -> Sequence[tuple[Piece, Factors]]:
    """A few changed tensors of half precision, spread over the model."""
    by_place = {factors[name].up.begin: factors[name] for name in factors}
    found = [
        (piece, replace(by_place[piece.low.up.start], turned=piece.low.turned))
        for _, piece in sorted(table.items())
        if piece.low is not None and piece.owner != piece.low.owner and piece.dtype in HALF
    ]
    if len(found) <= MATRICES:
        return found
    return [found[i] for i in sorted({round(i * (len(found) - 1) / (MATRICES - 1)) for i in range(MATRICES)})]
