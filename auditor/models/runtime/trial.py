"""The check at load: a few fixed texts alone against batched, so that no answer depends on the texts beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditor.errors import ModelError
from auditor.models.runtime.forward import Forward, InputError
from auditor.models.runtime.packing import (
    CHECKED,
    DEFAULT_TOLERANCE,
    MOST_NOISE,
    NOISE,
    TOLERANCE,
    Encoded,
    Packing,
    largest_difference,
    order_of_trial,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Probabilities = NDArray[np.float64]

EXACT = ("float32", "float64")
SAME_LENGTH = 8
"""Tokens at which the fixed texts are cut to be of one length."""

# What a model's exception says where a key of its config is missing, and the key.
_KEYS = {
    "set_default_language": "default_language",
    "decoder_start_token_id": "decoder_start_token_id",
    "pad_token_id": "pad_token_id",
    "eos_token_id": "eos_token_id",
}

Encode = Callable[[int | None], Encoded]
"""Gives the fixed texts' tokens, cut at so many (None: where the model's inputs are cut)."""


@dataclass(frozen=True)
class Settled:
    """How texts share a forward, what a report should say of it, and inputs that the model is known to run on."""

    packing: Packing
    notes: tuple[str, ...]
    sound: Encoded


def settle(forward: Forward, encode: Encode, *, side: str, dtype: str) -> Settled:
    """Finds the fastest packing under which each text is answered as it is alone.

    Args:
        side: on which the tokenizer pads.
        dtype: of the model; what it costs in exactness is tolerated.

    Raises:
        ModelError: the model can answer none of the texts.
    """
    encoded = encode(None)
    sizes = np.asarray([row.size for row in encoded["input_ids"]])
    rows = np.flatnonzero(sizes)
    if not rows.size:
        return Settled(Packing.EQUAL, (), _taken(encoded, rows))
    tolerance = TOLERANCE.get(dtype, DEFAULT_TOLERANCE)
    alone, rows = _alone(forward, encoded, rows)
    longest = rows[[np.argmax(sizes[rows])]]
    if largest_difference(_alone(forward, encoded, longest)[0], alone[rows == longest]) > tolerance:
        forward.seeded = True
        alone, rows = _alone(forward, encoded, rows)
    trials = _Trials(forward, encode, encoded, rows, alone)
    away: dict[Packing, float] = {}
    if dtype not in EXACT:
        tolerance = min(MOST_NOISE, max(tolerance, NOISE * trials.difference(Packing.EQUAL)))
    for packing in order_of_trial(forward.fill, side, sparse=forward.sparse):
        away[packing] = trials.difference(packing)
        if away[packing] <= tolerance:
            break
    return Settled(packing, _notes(forward, packing, away), _taken(encoded, rows[:1]))


@dataclass(frozen=True)
class _Trials:
    forward: Forward
    encode: Encode
    encoded: Encoded
    rows: Places
    alone: Probabilities

    def difference(self, packing: Packing) -> float:
        """How far answers under a packing are from those to each text alone; 1 where the model fails under it."""
        if packing is Packing.ALONE:
            return 0.0
        encoded, rows, alone = self.encoded, self.rows, self.alone
        if packing is Packing.EQUAL:
            encoded = self.encode(SAME_LENGTH)
            sizes = np.asarray([row.size for row in encoded["input_ids"]])
            rows = self.rows[sizes[self.rows] == sizes[self.rows].max()]
            alone, rows = _alone(self.forward, encoded, rows)
        try:
            logits = self.forward(encoded, rows, packing)
        except InputError:
            return 1.0
        return 1.0 if logits is None else largest_difference(_probabilities(logits), alone)


def _alone(forward: Forward, encoded: Encoded, rows: Places) -> tuple[Probabilities, Places]:
    """Answers to each text by itself, and the texts that the model did not fail on.

    Raises:
        ModelError: it failed on all, or memory ran out.
    """
    found, answered, error = [], [], InputError()
    for row in rows:
        try:
            logits = forward(encoded, np.asarray([row]), Packing.ALONE)
        except InputError as caught:
            error = caught
            continue
        if logits is None:
            raise out_of_memory(forward, encoded["input_ids"][row].size)
        found.append(_probabilities(logits))
        answered.append(row)
    if not found:
        raise unable(forward, error) from error
    return np.concatenate(found), np.asarray(answered, dtype=np.int64)


def unable(forward: Forward, error: InputError) -> ModelError:
    """The model cannot answer a text that it should be able to: a missing key of its config is named."""
    said = str(error)
    key = next((key for words, key in _KEYS.items() if words in said and forward.lacks(key)), None)
    if key is not None:
        return ModelError(
            f"config.json lacks {key}, without which the model cannot answer: {said}",
            hint=f"Add {key} to config.json, with the value that the model was trained with.",
        )
    return ModelError(
        f"the model fails on every text: {said}",
        hint="Its files, or its tokenizer, may not fit each other. With --dtype float32 or --device cpu it may run, or "
        "say more.",
    )


def out_of_memory(forward: Forward, width: int) -> ModelError:
    """Not even one input fits."""
    return ModelError(
        f"memory on {forward.device} does not suffice for one input of {width} tokens",
        hint="End what else runs there, or try --device cpu.",
    )


def _probabilities(logits: torch.Tensor) -> Probabilities:
    found: Probabilities = logits.double().softmax(-1).cpu().numpy()
    return found


def _taken(encoded: Encoded, rows: Places) -> Encoded:
    return {name: [lines[i] for i in rows] for name, lines in encoded.items()}


def _notes(forward: Forward, packing: Packing, away: dict[Packing, float]) -> tuple[str, ...]:
    """What differs between how the model was asked here and how it may be asked elsewhere."""
    notes = []
    if forward.seeded:
        notes.append(
            "The model draws random numbers as it answers, so a text gets another answer each time. They were held "
            "fixed here; elsewhere they are not."
        )
    first = next(iter(away))
    if forward.sparse:
        notes.append(
            "The model's attention goes by blocks, and padding shifts what long texts attend to. Each text was asked "
            f"{packing}; where it is padded it may be answered otherwise."
        )
    elif packing is not first:
        notes.append(
            f"A batch that is {first} changes this model's answers, by up to {away[first]:.2g} of a probability on "
            f"{len(CHECKED)} fixed texts. Each text was asked {packing}, and answered as it is alone; a deployment "
            "that pads otherwise may answer otherwise."
        )
    return tuple(notes)
