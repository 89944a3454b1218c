"""One forward of a classifier: a batch padded as it is told, and what goes wrong sorted into whose fault it is."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.errors import ModelError
from auditor.models.runtime.packing import NO_TOKEN, Encoded, Fill, Packing, fill_of, pad_rows

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# How torch words a failed allocation where it has no exception of its own.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


class InputError(Exception):
    """The model failed on a batch, for another reason than memory."""


class Forward:
    """A model that answers batches of token ids.

    Args:
        model: a sequence classifier of transformers on its device, in evaluation mode.
        tokenizer: its tokenizer, for what it says of padding.
        outputs: how many scores the model gives an input.

    Attributes:
        fill: the pad token.
        vocabulary: how many tokens the model knows; None where it has no one table of them.
        types: how many token types it knows, by the input's name; empty where it takes none, None where any.
        seeded: whether random numbers that it draws are made the same for each batch.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, outputs: int) -> None:
        self._model: PreTrainedModel | None = model
        self._outputs = outputs
        self._config: Any = model.config.get_text_config()
        self._stated = self._config.pad_token_id
        self._sparse = _sparse_module(model)
        self.device = model.device
        self.vocabulary = vocabulary_of(model)
        self.types = _token_types(model)
        self.fill: Fill = fill_of(self._stated, tokenizer, self.vocabulary)
        self.seeded = False
        self._fills = {"token_type_ids": int(tokenizer.pad_token_type_id)}

    @property
    def sparse(self) -> bool:
        """Whether attention goes by blocks in long texts."""
        return self._sparse is not None

    @property
    def model(self) -> PreTrainedModel:
        """The model itself.

        Raises:
            ModelError: it is closed.
        """
        if self._model is None:
            raise ModelError("the classifier is closed")
        return self._model

    def close(self) -> None:
        """Frees the model's memory."""
        parts = [weakref.ref(module) for module in self._model.modules()] if self._model is not None else []
        self._model = self._sparse = None
        # A collection looks at all that Python holds: where nothing refers to itself, the model is gone without one.
        free(self.device.type, collect=any(part() is not None for part in parts))

    def __call__(self, encoded: Encoded, chosen: NDArray[np.int64], packing: Packing) -> torch.Tensor | None:
        """Scores (logits) of one batch on the device, shape (chosen, outputs); None if memory ran out.

        Raises:
            InputError: the model failed for another reason.
            ModelError: its scores do not fit its labels.
        """
        import torch

        model = self.model
        fills = {**self._fills, "input_ids": self._pad_for(encoded, chosen, packing)}
        try:
            with torch.inference_mode(), self._repeatable():
                if self._sparse is not None:
                    # It turns block-sparse attention off for good at the first short text: its answers to long ones
                    # would depend on whether a short one came before.
                    self._sparse.set_attention_type("block_sparse")
                arrays = pad_rows(encoded, chosen, packing, fills)
                batch = {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
                logits: torch.Tensor = model(**batch).logits
        except Exception as error:
            if is_out_of_memory(error):
                return None
            raise InputError(first_line(error)) from error
        if logits.ndim != 2 or logits.shape[-1] != self._outputs:
            raise ModelError(f"the model gives scores of shape {tuple(logits.shape)} for {self._outputs} labels")
        if len(logits) != len(chosen):
            raise InputError(f"the model gives {len(logits)} answers to {len(chosen)} inputs")
        return logits

    def lacks(self, key: str) -> bool:
        """Whether the config has no value for a key."""
        return getattr(self._config, key, None) is None

    def _pad_for(self, encoded: Encoded, chosen: NDArray[np.int64], packing: Packing) -> int:
        """The token that fills a batch. Where the config states none, the model is told what serves here.

        Alone it then takes the last place. Padded on the right it must find the same, so the token that fills may not
        end any of the texts, as a tokenizer's pad does that is its end of text too.
        """
        token = self.fill.token or 0
        if self._stated is None:
            told = NO_TOKEN if len(chosen) > 1 else None
            if packing is Packing.RIGHT and len(chosen) > 1:
                ends = {int(encoded["input_ids"][i][-1]) for i in chosen}
                told = token = next(t for t in (token, *range(len(ends) + 1)) if t not in ends)
            self._config.pad_token_id = told
        return token

    @contextmanager
    def _repeatable(self) -> Iterator[None]:
        if not self.seeded:
            yield
            return
        import torch

        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(0)
            yield


def vocabulary_of(model: Any) -> int | None:
    """How many tokens the model's table of embeddings has; None where it has none, as where characters are hashed."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError):
        return None


def _token_types(model: Any) -> dict[str, int | None]:
    if "token_type_ids" not in inspect.signature(model.forward).parameters:
        return {}
    tables = [m for name, m in model.named_modules() if name.endswith("token_type_embeddings")]
    sizes = [int(m.weight.shape[0]) for m in tables if getattr(m, "weight", None) is not None]
    return {"token_type_ids": min(sizes, default=None)}


def _sparse_module(model: Any) -> Any:
    """The outermost module that can turn block-sparse attention on, where the model has it; else None."""
    found = (m for m in model.modules() if getattr(m, "attention_type", None) == "block_sparse")
    return next((m for m in found if hasattr(m, "set_attention_type")), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, however torch words it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return any(words in said for words in _NO_MEMORY)


def free(device: str, *, collect: bool = True) -> None:
    """Gives unused memory back.

    Args:
        collect: also what is held by nothing but itself.
    """
    import torch

    if collect:
        gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def first_line(error: BaseException) -> str:
    """What an exception says first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
