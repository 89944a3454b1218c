"""How texts are put together for a forward, so that each is answered as it is alone.

What a text is answered must not depend on the texts beside it. Padding is what makes it so: a mask that an architecture
does not know or only approximates, positions that padding shifts, a head that takes the first or the last place.
transformers' own answer to a text by itself has no padding, and is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

Encoded = dict[str, list["NDArray[np.int64]"]]
"""By input name, a row of whole numbers for each text."""

CHECKED = (
    "fine",
    "the film was",
    "nobody minded the dull plot",
    "it is not the worst film of that year , and not the best",
    "great music",
    "a light that was left on in the hall told the whole of the story",
    "the actor who played the father said very little , and what he said was good , which is more than can be said "
    "of the other , who talked through every scene",
    "bad sound , good camera",
)
"""Texts of different lengths on which answers in a batch are held against answers to each alone."""

TOLERANCE = {"float32": 1e-4, "float64": 1e-4, "float16": 2e-3}
DEFAULT_TOLERANCE = 1.5e-2
"""How far a probability may differ between a batch and a text alone, by the model's dtype (bfloat16: the default)."""
NOISE = 4
"""A half-precision model's answers differ between batches of any make: padding may cost so many times as much."""
MOST_NOISE = 5e-2

NO_TOKEN = -1
"""A pad id that no text holds: a model that looks for its last token by it takes the last place."""


class Packing(StrEnum):
    """How texts share a forward, from the fastest on."""

    RIGHT = "padded on the right"
    LEFT = "padded on the left"
    EQUAL = "only with texts of its own length"
    ALONE = "by itself"


@dataclass(frozen=True)
class Fill:
    """The token that fills a batch: its id (None: there is none) and what states it."""

    token: int | None
    stated_by: str


def fill_of(stated: Any, tokenizer: PreTrainedTokenizerBase, vocabulary: int | None) -> Fill:
    """The pad token: the one that the config states, else the tokenizer's; an id that is no token is none.

    Args:
        stated: the config's pad_token_id.
        vocabulary: how many tokens the model knows; None where that cannot be told.
    """

    def is_token(found: Any) -> bool:
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            return False
        return vocabulary is None or found < vocabulary

    # The model finds padding by its config's id (positions, last token), so that one goes before the tokenizer's.
    if is_token(stated):
        return Fill(stated, "the model's config")
    passed = "" if stated is None else f" (the config's {stated} is no token)"
    if is_token(tokenizer.pad_token_id):
        return Fill(int(tokenizer.pad_token_id), f"the tokenizer{passed}")
    return Fill(None, f"nothing{passed}")


def order_of_trial(fill: Fill, side: str, *, sparse: bool) -> tuple[Packing, ...]:
    """The packings to try, the tokenizer's own side first.

    Args:
        sparse: attention goes by blocks, and only in long texts: fixed texts are too short to show what padding does.
    """
    last = (Packing.EQUAL, Packing.ALONE)
    if fill.token is None or sparse:
        return last
    sides = (Packing.LEFT, Packing.RIGHT) if side == "left" else (Packing.RIGHT, Packing.LEFT)
    return (*sides, *last)


def pad_rows(
    encoded: Encoded, chosen: NDArray[np.int64], packing: Packing, fills: dict[str, int]
) -> dict[str, NDArray[np.int64]]:
    """A batch's arrays, shape (rows, width), with the attention mask."""
    sizes = np.fromiter((encoded["input_ids"][i].size for i in chosen), dtype=np.int64, count=len(chosen))[:, None]
    width = int(sizes.max())
    columns = np.arange(width)
    real = columns >= width - sizes if packing is Packing.LEFT else columns < sizes
    arrays = {"attention_mask": real.astype(np.int64)}
    for name, rows in encoded.items():
        array = np.full(real.shape, fills[name], dtype=np.int64)
        array[real] = np.concatenate([rows[i] for i in chosen])
        arrays[name] = array
    return arrays


def largest_difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The largest difference of two tables of probabilities; rows that neither has (NaN) are equal."""
    usable = np.isfinite(one).all(axis=1) | np.isfinite(other).all(axis=1)
    away = np.abs(one[usable] - other[usable])
    return float(np.nan_to_num(away, nan=1.0).max(initial=0.0))
