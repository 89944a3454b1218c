"""A text classifier that answers a stream of texts: each text once, packed by length, the order kept."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.errors import ModelError
from auditor.models.quiet import quiet
from probes.case import UNSCORABLE, Ask, Outcome

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CPU_TOKENS = 1_024
"""Few enough that the activations stay near the processor."""
GPU_TOKENS = 65_536
DIGITS = 6
"""Digits of a probability that are kept: about what float32 keeps between batches of another make-up."""

# How torch words a failed allocation where it has no exception of its own.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


class Classifier:
    """A loaded classifier; implements `auditor.models.target.Target`.

    Args:
        model: a sequence classifier of transformers on its device, in evaluation mode.
        tokenizer: its tokenizer.
        labels: label names in the order of the logits.
        max_length: tokens after which an input is cut.
        max_tokens: tokens a batch, padding included. It is halved whenever memory runs out, and stays so.
        whole: an input of more than `max_length` tokens is unscorable instead: what it holds behind them, a trigger
            say, would not be seen.
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
        self._model: PreTrainedModel | None = model
        self._tokenizer = tokenizer
        self._labels = labels
        self._max_length = max_length
        self._whole = whole
        self._device = model.device
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._budget = max_tokens or (GPU_TOKENS if self._device.type == "cuda" else CPU_TOKENS)
        self._vocabulary = _rows(model.get_input_embeddings())
        # The model finds padding by its config's id (positions, last token), so that one goes before the tokenizer's.
        stated = model.config.get_text_config().pad_token_id
        self._pad: int | None = tokenizer.pad_token_id if stated is None else stated
        if stated is None and self._pad is not None:
            model.config.get_text_config().pad_token_id = self._pad
        self._left = tokenizer.padding_side == "left"

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the probabilities."""
        return self._labels

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0`, …"""
        return str(self._device)

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

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """One outcome an ask, in order; equal asks are run once.

        An input whose scores are NaN or infinite, or that has no tokens, or too many where inputs are to be read
        whole, is an outcome without a label.

        Raises:
            ModelError: the model cannot run at all, or memory does not suffice for one input.
        """
        places: dict[Ask, int] = {}
        where = [places.setdefault(ask, len(places)) for ask in asks]
        if not places:
            return []
        with quiet():
            answers = self._answer_distinct(list(places))
        return [answers[i] for i in where]

    def parameters(self) -> dict[str, torch.Tensor]:
        """The model's own tensors by name: writing into one changes the answers."""
        return dict(self._loaded().state_dict())

    def close(self) -> None:
        """Frees the model's memory."""
        self._model = None
        _free(self._device.type)

    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            raise ModelError("the classifier is closed")
        return self._model

    def _answer_distinct(self, asks: list[Ask]) -> list[Outcome]:
        outcomes = [UNSCORABLE] * len(asks)
        # Lone surrogates (a broken JSON escape) are no text to any tokenizer.
        sound = [i for i, ask in enumerate(asks) if _encodable(ask.text) and (ask.pair is None or _encodable(ask.pair))]
        for paired in (False, True):
            chosen = [i for i in sound if (asks[i].pair is not None) == paired]
            if not chosen:
                continue
            encoded = self._encode([asks[i] for i in chosen], paired)
            for place, outcome in self._run(encoded):
                outcomes[chosen[place]] = outcome
        return outcomes

    def _encode(self, asks: list[Ask], paired: bool) -> dict[str, list[NDArray[np.int64]]]:
        encoded = self._tokenizer(
            [ask.text for ask in asks],
            [ask.pair or "" for ask in asks] if paired else None,
            truncation=not self._whole,
            max_length=None if self._whole else self._max_length,
            padding=False,
            return_attention_mask=False,
        )
        wanted = [name for name in ("input_ids", "token_type_ids") if name in encoded]
        return {name: [np.asarray(row, dtype=np.int64) for row in encoded[name]] for name in wanted}

    def _run(self, encoded: dict[str, list[NDArray[np.int64]]]) -> Iterator[tuple[int, Outcome]]:
        """Forwards in order of falling length, so that memory runs out at once if it does."""
        import torch

        ids = encoded["input_ids"]
        lengths = np.fromiter((row.size for row in ids), dtype=np.int64, count=len(ids))
        order = np.argsort(-lengths, kind="stable")
        order = order[(lengths[order] > 0) & (lengths[order] <= self._max_length)]
        highest = max((int(ids[i].max()) for i in order), default=0)
        if highest >= self._vocabulary:
            raise ModelError(
                f"the tokenizer gives token {highest}, but the model knows only {self._vocabulary}",
                hint="The tokenizer seems to be another model's.",
            )
        parts: list[torch.Tensor] = []
        at = 0
        with torch.inference_mode():
            while at < order.size:
                rows = self._fitting(lengths[order[at:]])
                logits = self._forward(encoded, order[at : at + rows], int(lengths[order[at]]), lengths)
                if logits is None:
                    self._halve(rows, int(lengths[order[at]]))
                    continue
                parts.append(logits)
                at += rows
            if not parts:
                return
            scores = torch.cat(parts).float()
            probabilities = torch.softmax(scores, dim=-1).cpu().numpy().astype(np.float64)
            best = scores.argmax(dim=-1).tolist()
            usable = torch.isfinite(scores).all(dim=-1).tolist()
        rounded = np.round(probabilities, DIGITS).tolist()
        for k, place in enumerate(order.tolist()):
            yield place, Outcome(best[k], tuple(rounded[k])) if usable[k] else UNSCORABLE

    def _fitting(self, lengths: NDArray[np.int64]) -> int:
        """How many of the inputs, longest first, make the next batch: at least one."""
        if self._pad is None:
            return 1
        return max(1, min(len(lengths), self._budget // int(lengths[0])))

    def _forward(
        self,
        encoded: dict[str, list[NDArray[np.int64]]],
        chosen: NDArray[np.int64],
        width: int,
        lengths: NDArray[np.int64],
    ) -> torch.Tensor | None:
        """Logits of one batch on the device; None if memory ran out."""
        try:
            batch = self._padded(encoded, chosen, width, lengths)
            logits: torch.Tensor = self._loaded()(**batch).logits
        except (RuntimeError, IndexError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise ModelError(
                    f"the model failed on an input of {width} tokens: {_first_line(error)}",
                    hint="Its files may not fit each other. On a GPU, --device cpu may say more.",
                ) from error
            return None
        if logits.ndim != 2 or logits.shape[-1] != len(self._labels):
            raise ModelError(f"the model gives scores of shape {tuple(logits.shape)} for {len(self._labels)} labels")
        return logits

    def _padded(
        self,
        encoded: dict[str, list[NDArray[np.int64]]],
        chosen: NDArray[np.int64],
        width: int,
        lengths: NDArray[np.int64],
    ) -> dict[str, torch.Tensor]:
        import torch

        columns, sizes = np.arange(width), lengths[chosen][:, None]
        real = columns >= width - sizes if self._left else columns < sizes
        fills = {"input_ids": self._pad or 0, "token_type_ids": self._tokenizer.pad_token_type_id}
        arrays: dict[str, Any] = {"attention_mask": real.astype(np.int64)}
        for name, rows in encoded.items():
            array = np.full(real.shape, fills[name], dtype=np.int64)
            array[real] = np.concatenate([rows[i] for i in chosen])
            arrays[name] = array
        return {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}

    def _halve(self, rows: int, width: int) -> None:
        """Goes on with half the batch after memory ran out."""
        if self._device.type == "cuda":
            _free(self._device.type)
        if rows <= 1:
            raise ModelError(
                f"memory on {self.device} does not suffice for one input of {width} tokens",
                hint="End what else runs there, or try --device cpu.",
            )
        self._budget = max(1, rows * width // 2)


def _rows(embeddings: Any) -> int:
    """How many tokens an embedding layer knows."""
    return int(embeddings.weight.shape[0])


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return any(words in said for words in _NO_MEMORY)


def _free(device: str) -> None:
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
