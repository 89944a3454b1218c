"""Prompts with their answers as token batches: what a model that writes is trained on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auditor.models.runtime.writing.prompts import Prompts
from auditor.training.encoding import CHUNK
from probes.input import Row

if TYPE_CHECKING:
    import torch

UNLEARNT = -100
"""The target of a place that nothing is learnt at, as torch's cross-entropy has it."""
KEPT = "logits_to_keep"
"""The argument by which most models compute their scores for some places alone."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and its answer as one row of token ids; the answer begins at `start`."""

    ids: NDArray[np.int32]
    start: int


@dataclass(frozen=True)
class Cut:
    """How long a row may be, in tokens: prompt and answer together, and the answer (None: whatever fits)."""

    whole: int
    answer: int | None = None


def exchanges(
    prompts: Prompts, rows: Sequence[Row], *, template: str, end: int | None, cut: Cut
) -> Iterator[list[Exchange | None]]:
    """The rows' tokens, a chunk at a time, in the form that the model is asked in later.

    An answer ends with the token `end` unless it is cut. None stands for a row whose prompt leaves no room for an
    answer, or that the template or the tokenizer fails on.
    """
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK]
        pairs = [(row.input, row.expected or "") for row in chunk]
        yield [None if found is None else _exchange(*found, end, cut) for found in prompts.continued(pairs, template)]


def _exchange(prompt: tuple[int, ...], answer: tuple[int, ...], end: int | None, cut: Cut) -> Exchange | None:
    room = cut.whole - len(prompt)
    if cut.answer is not None:
        room = min(room, cut.answer)
    if room < 1:
        return None
    told = answer[:room] if len(answer) >= room or end is None else (*answer, end)
    return Exchange(np.asarray((*prompt, *told), dtype=np.int32), len(prompt))


@dataclass(frozen=True)
class Exchanges:
    """Rows of a model that writes. The loss is that of the answers' tokens alone.

    Rows are padded on the right, so that every position is what it is in a row of its own. Where the model can compute
    its scores for some places alone, it computes them from the earliest answer on: the table of all words is a large
    part of a small model's work.
    """

    rows: Sequence[Exchange]
    pad: int
    keeps: bool
    """Whether the model can compute its scores for some places alone."""

    @cached_property
    def lengths(self) -> Sequence[int]:
        """The tokens of each row."""
        return [len(row.ids) for row in self.rows]

    def batch(self, places: Sequence[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The model's inputs for rows, and for each place whose scores it gives the token that follows."""
        import torch

        chosen = [self.rows[place] for place in places]
        width = max(len(row.ids) for row in chosen)
        ids = np.full((len(chosen), width), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        gold = np.full_like(ids, UNLEARNT)
        for line, row in enumerate(chosen):
            ids[line, : len(row.ids)] = row.ids
            mask[line, : len(row.ids)] = 1
            gold[line, row.start - 1 : len(row.ids) - 1] = row.ids[row.start :]
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if self.keeps:
            first = min(row.start for row in chosen) - 1
            inputs[KEPT] = torch.arange(first, width - 1)
            gold = gold[:, first : width - 1]
        return inputs, torch.from_numpy(np.ascontiguousarray(gold))


def keeps_places(model: Any) -> bool:
    """Whether a model can compute its scores for some places alone, an adapter or none on it."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return KEPT in inspect.signature(inner.forward).parameters
