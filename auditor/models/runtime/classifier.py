"""A text classifier that answers a stream of texts: each text once, packed by length, the order kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from auditor.errors import ModelError
from auditor.models.runtime.forward import Forward, InputError, first_line, free
from auditor.models.runtime.packing import CHECKED, Encoded, Packing
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.trial import out_of_memory, settle, unable
from probes.answer import UNSCORED, Choices
from probes.input import Choose, Input, Text

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CPU_TOKENS = 1_024
"""Few enough that the activations stay near the processor."""
GPU_TOKENS = 65_536
DIGITS = 6
"""Digits of a probability that are kept: about what float32 keeps between batches of another make-up."""


class Classifier:
    """A loaded classifier; implements `auditor.models.runtime.capabilities.Chooses`.

    Args:
        model: a sequence classifier of transformers on its device, in evaluation mode.
        tokenizer: its tokenizer.
        labels: label names in the order of the logits.
        max_length: tokens after which an input is cut.
        max_tokens: tokens a batch, padding included. It is halved whenever memory runs out, and stays so.
        whole: an input of more than `max_length` tokens is unscorable instead: what it holds behind them, a trigger
            say, would not be seen.

    Raises:
        ModelError: the model cannot run, or its tokenizer is another model's.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        labels: tuple[str, ...],
        max_length: int,
        max_tokens: int | None = None,
        whole: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._labels = labels
        self._max_length = max_length
        self._whole = whole
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._forward = Forward(model, tokenizer, outputs=len(labels))
        self._budget = max_tokens or (GPU_TOKENS if self._forward.device.type == "cuda" else CPU_TOKENS)
        self._failures: dict[str, None] = {}
        with quiet():
            self._settled = settle(self._forward, self._fixed, side=str(tokenizer.padding_side), dtype=self._dtype)
        # Of the fixed texts, failures are no answers that a report lacks.
        self._failures.clear()

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the probabilities."""
        return self._labels

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0`, …"""
        return str(self._forward.device)

    @property
    def dtype(self) -> str:
        """`float32`, `bfloat16`, …"""
        return self._dtype

    @property
    def max_length(self) -> int:
        """Tokens after which an input is cut."""
        return self._max_length

    @property
    def max_tokens(self) -> int:
        """Tokens a batch at present."""
        return self._budget

    @property
    def packing(self) -> Packing:
        """How texts share a forward: so that each is answered as it is alone."""
        return self._settled.packing

    @property
    def padding(self) -> str:
        """The token that fills a batch, with its id and what states it."""
        token, stated = self._forward.fill.token, self._forward.fill.stated_by
        if token is None:
            return f"none, stated by {stated}"
        return f"{self._tokenizer.convert_ids_to_tokens(token)!r} (id {token}), stated by {stated}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a report: how the model was asked, and what it failed on so far."""
        failed = [
            f"The model fails on some of the inputs, also by themselves ({said}): they are not scored."
            for said in self._failures
        ]
        return (*self._settled.notes, *failed)

    def choose(self, inputs: Sequence[Input], how: Choose = Choose()) -> Choices:
        """One choice an input, in order; equal inputs are run once.

        An input whose scores are NaN or infinite, that has no tokens, or too many where inputs are to be read whole,
        or on which the model fails also when it is asked alone, has the label −1.

        Raises:
            ModelError: the model cannot run at all, or memory does not suffice for one input.
        """
        if not inputs:
            return Choices.of((), len(self._labels))
        scores = self.scores(inputs)
        usable: NDArray[np.bool_] = np.asarray(np.isfinite(scores).all(axis=1))
        scores[~usable] = 0.0
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        rounded = np.round(shares / shares.sum(axis=1, keepdims=True), DIGITS)
        rounded[~usable] = np.nan
        return Choices(np.where(usable, scores.argmax(axis=1), UNSCORED), rounded)

    def scores(self, inputs: Sequence[Input]) -> NDArray[np.float64]:
        """The model's scores (logits), shape (inputs, labels), in order; NaN where an input cannot be scored.

        Raises:
            ModelError: as `choose`.
        """
        places: dict[Input, int] = {}
        where = [places.setdefault(item, len(places)) for item in inputs]
        found = np.full((len(places), len(self._labels)), np.nan)
        with quiet():
            for chosen, encoded in self._sound(list(places)):
                rows, scores = self._run(encoded)
                found[chosen[rows]] = scores
        return found[where]

    def parameters(self) -> dict[str, torch.Tensor]:
        """The model's own tensors by name: writing into one changes the answers."""
        return dict(self._forward.model.state_dict())

    def close(self) -> None:
        """Frees the model's memory."""
        self._forward.close()

    def _sound(self, inputs: list[Input]) -> Iterator[tuple[NDArray[np.int64], Encoded]]:
        """The inputs that are text at all, with their tokens: those of one text, then the pairs."""
        # Lone surrogates (a broken JSON escape) are no text to any tokenizer.
        sound = [
            i
            for i, item in enumerate(inputs)
            if _encodable(item.text) and (item.second is None or _encodable(item.second))
        ]
        for paired in (False, True):
            chosen = [i for i in sound if (inputs[i].second is not None) == paired]
            if chosen:
                cut = None if self._whole else self._max_length
                yield np.asarray(chosen), self._encode([inputs[i] for i in chosen], paired, cut)

    def _fixed(self, length: int | None) -> Encoded:
        """The texts of the check at load, cut at so many tokens."""
        checked: list[Input] = [Text(text) for text in CHECKED]
        encoded = self._encode(checked, False, min(length or self._max_length, self._max_length))
        self._require_known(encoded)
        return encoded

    def _encode(self, inputs: list[Input], paired: bool, length: int | None) -> Encoded:
        """Token ids, and token types where the model takes them; a text that the tokenizer fails on has no tokens."""
        try:
            encoded = self._tokenizer(
                [item.text for item in inputs],
                [item.second or "" for item in inputs] if paired else None,
                truncation=length is not None,
                max_length=length,
                padding=False,
                return_attention_mask=False,
            )
        except Exception as error:
            # tokenizers raise plain exceptions on a text that they cannot take: the others are read all the same.
            if len(inputs) == 1:
                self._failures[first_line(error)] = None
                return {name: [np.empty(0, dtype=np.int64)] for name in ("input_ids", *self._forward.types)}
            parts = [self._encode([item], paired, length) for item in inputs]
            names = [name for name in parts[0] if all(name in part for part in parts)]
            return {name: [row for part in parts for row in part[name]] for name in names}
        wanted = [name for name in ("input_ids", *self._forward.types) if name in encoded]
        return {name: [np.asarray(row, dtype=np.int64) for row in encoded[name]] for name in wanted}

    def _run(self, encoded: Encoded) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places of the inputs that have scores, and the scores.

        Forwards in order of falling length, so that memory runs out at once if it does.
        """
        import torch

        lengths = np.fromiter((row.size for row in encoded["input_ids"]), dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        order = order[(lengths[order] > 0) & (lengths[order] <= self._max_length)]
        self._require_known({name: [rows[i] for i in order] for name, rows in encoded.items()})
        parts: list[tuple[NDArray[np.int64], torch.Tensor]] = []
        at = 0
        while at < order.size:
            rows = self._fitting(lengths[order[at:]])
            chosen = order[at : at + rows]
            try:
                logits = self._forward(encoded, chosen, self.packing)
            except InputError as error:
                if rows == 1:
                    self._not_answered(error)
                else:
                    parts += self._one_by_one(encoded, chosen)
            else:
                if logits is None:
                    self._halve(rows, int(lengths[chosen[0]]))
                    continue
                parts.append((chosen, logits))
            at += rows
        if not parts:
            return np.empty(0, dtype=np.int64), np.empty((0, len(self._labels)))
        scores = torch.cat([logits for _, logits in parts]).double().cpu().numpy()
        return np.concatenate([chosen for chosen, _ in parts]), scores

    def _one_by_one(
        self, encoded: Encoded, chosen: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """The inputs of a batch that the model failed on, each alone: what is one row's must not cost the others."""
        for i in range(len(chosen)):
            row = chosen[i : i + 1]
            try:
                logits = self._forward(encoded, row, Packing.ALONE)
            except InputError as error:
                self._not_answered(error)
                continue
            if logits is None:
                raise out_of_memory(self._forward, encoded["input_ids"][row[0]].size)
            yield row, logits

    def _not_answered(self, error: InputError) -> None:
        """Notes an input that the model failed on by itself.

        Raises:
            ModelError: it fails on one that it has answered, too: it is not the input.
        """
        known = self._settled.sound
        if known["input_ids"]:
            try:
                self._forward(known, np.zeros(1, dtype=np.int64), Packing.ALONE)
            except InputError:
                raise unable(self._forward, error) from error
        self._failures[str(error)] = None

    def _fitting(self, lengths: NDArray[np.int64]) -> int:
        """How many of the inputs, longest first, make the next batch: at least one."""
        if self.packing is Packing.ALONE:
            return 1
        most = max(1, min(len(lengths), self._budget // int(lengths[0])))
        return int((lengths[:most] == lengths[0]).sum()) if self.packing is Packing.EQUAL else most

    def _require_known(self, encoded: Encoded) -> None:
        """Refuses tokens and token types that the model has no embedding for.

        Raises:
            ModelError: there is one.
        """
        for name, known in (("input_ids", self._forward.vocabulary), *self._forward.types.items()):
            highest = max((int(row.max()) for row in encoded.get(name, ()) if row.size), default=0)
            if known is None or highest < known:
                continue
            if name == "input_ids":
                raise ModelError(
                    f"the tokenizer gives token {highest}, but the model knows only {known}",
                    hint="The tokenizer seems to be another model's.",
                )
            raise ModelError(
                f"the tokenizer gives token type {highest}, but the model knows only {known} (type_vocab_size)",
                hint="Take token_type_ids out of model_input_names in tokenizer_config.json, if the model was trained "
                "without them.",
            )

    def _halve(self, rows: int, width: int) -> None:
        """Goes on with half the batch after memory ran out."""
        if self._forward.device.type == "cuda":
            free(self._forward.device.type)
        if rows <= 1:
            raise out_of_memory(self._forward, width)
        self._budget = max(1, rows * width // 2)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
