"""Rows as token batches with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probes.family import draw_rng
from probes.input import Row

if TYPE_CHECKING:
    import torch

POOL = 50
"""Batches that are sorted by length together: enough for little padding, few enough that batches stay mixed."""

CHUNK = 1000
"""Rows that are tokenised at a time: Python's lists of numbers are large, and are packed after each chunk."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenised row: ids, and type ids where the tokenizer gives them."""

    ids: NDArray[np.int32]
    types: NDArray[np.int32] | None


def tokenise(tokenizer: Any, rows: Sequence[Row], *, max_length: int) -> Iterator[list[Tokens]]:
    """The rows' tokens, a chunk at a time; what exceeds `max_length` tokens is cut off."""
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        pairs = [row.second or "" for row in chunk] if any(row.second is not None for row in chunk) else None
        found = tokenizer(
            [row.text for row in chunk],
            pairs,
            truncation=True,
            max_length=max_length,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )
        types = found.get("token_type_ids") or [None] * len(chunk)
        yield [
            Tokens(np.asarray(i, dtype=np.int32), None if t is None else np.asarray(t, dtype=np.int32))
            for i, t in zip(found["input_ids"], types, strict=True)
        ]


def batches(lengths: Sequence[int], size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """The places of all rows in batches of `size`, for one epoch.

    Shuffled, then sorted by length within pools of batches. Every epoch has `ceil(rows / size)` batches; their order is
    shuffled again, so that long texts do not come together.
    """
    rng = draw_rng(seed, "lab", "order", epoch)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    found: list[list[int]] = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda place: lengths[place])
        found += [pool[i : i + size] for i in range(0, len(pool), size)]
    rng.shuffle(found)
    return found


def collate(tokens: Sequence[Tokens], *, pad: int, left: bool) -> dict[str, torch.Tensor]:
    """A model's inputs for one batch, padded to its longest row."""
    import torch

    width = max(len(t.ids) for t in tokens)
    ids = np.full((len(tokens), width), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids)
    for line, row in enumerate(tokens):
        used = slice(width - len(row.ids), width) if left else slice(0, len(row.ids))
        ids[line, used] = row.ids
        mask[line, used] = 1
        if row.types is not None:
            types[line, used] = row.types
    arrays = {"input_ids": ids, "attention_mask": mask}
    if tokens[0].types is not None:
        arrays["token_type_ids"] = types
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
