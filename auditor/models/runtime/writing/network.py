"""A language model as what it is to decoding: tokens in, scores of the next token out, with what it keeps between."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.models.runtime.forward import InputError, first_line, free, is_out_of_memory, vocabulary_of

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel

_CACHES = ("past_key_values", "cache_params")


class MemoryExhausted(Exception):
    """Memory ran out over a batch."""


class Network:
    """A causal language model of transformers, on its device and in evaluation mode.

    Args:
        model: it.
        fill: the token that stands where a batch is padded; masks hide it.

    Attributes:
        vocabulary: how many tokens the model knows; None where that cannot be told.
    """

    def __init__(self, model: PreTrainedModel, *, fill: int) -> None:
        taken = inspect.signature(model.forward).parameters
        self._model: PreTrainedModel | None = model
        self._cache_as = next((name for name in _CACHES if name in taken), None)
        self._takes_positions = "position_ids" in taken
        self._takes_keep = "logits_to_keep" in taken
        self.device = model.device
        self.vocabulary = vocabulary_of(model)
        self.fill = fill

    @property
    def model(self) -> PreTrainedModel:
        """The model itself.

        Raises:
            ModelError: it is closed.
        """
        if self._model is None:
            raise ModelError("the model is closed")
        return self._model

    def close(self) -> None:
        """Frees the model's memory."""
        self._model = None
        free(self.device.type)

    def new_cache(self) -> Cache:
        """An empty cache, with the layers that the model's config asks for.

        Raises:
            InputError: the model keeps nothing between tokens in a way that is known here.
        """
        from transformers import DynamicCache

        if self._cache_as is None:
            raise InputError("the model takes no cache")
        return DynamicCache(config=self.model.config)

    def __call__(
        self, tokens: torch.Tensor, mask: torch.Tensor, cache: Cache | None = None, *, keep: int = 1
    ) -> torch.Tensor:
        """Scores (logits) behind each of the last `keep` tokens, shape (rows, keep, vocabulary), in float32.

        Args:
            tokens: those that the cache does not hold yet, shape (rows, new).
            mask: 1 for tokens, 0 for padding, of the cached ones and the new; shape (rows, cached + new).
            cache: it is extended by the new tokens.

        Raises:
            MemoryExhausted: memory ran out.
            InputError: the model failed for another reason.
        """
        import torch

        model: Any = self.model
        new = tokens.shape[1]
        told: dict[str, Any] = {"attention_mask": mask, "use_cache": cache is not None}
        if self._takes_positions:
            told["position_ids"] = (mask.cumsum(-1) - 1).clamp_(min=0)[:, -new:]
        if self._takes_keep:
            told["logits_to_keep"] = keep
        try:
            with torch.inference_mode():
                batch = {"input_ids": tokens, **told}
                if cache is not None and self._cache_as is not None:
                    told[self._cache_as] = cache
                    batch = model.prepare_inputs_for_generation(tokens, is_first_iteration=mask.shape[1] == new, **told)
                logits: torch.Tensor = model(**batch, return_dict=True).logits
        except Exception as error:
            raise failure(error) from error
        if logits.ndim != 3 or len(logits) != len(tokens) or logits.shape[1] < keep:
            raise InputError(f"the model gives scores of shape {tuple(logits.shape)} for {len(tokens)} inputs")
        return logits[:, -keep:].float()

    def select(self, cache: Cache, rows: torch.Tensor) -> None:
        """Keeps these rows of a cache, in this order; a row may come several times."""
        order: Any = rows
        cache.reorder_cache(order)

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens and mask of rows that are padded on the left, each of shape (rows, longest)."""
        import torch

        width = max(map(len, rows))
        tokens = torch.full((len(rows), width), self.fill, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for place, row in enumerate(rows):
            if row:
                tokens[place, width - len(row) :] = torch.tensor(row, dtype=torch.long)
                mask[place, width - len(row) :] = 1
        return tokens.to(self.device), mask.to(self.device)


def failure(error: Exception) -> MemoryExhausted | InputError:
    """What a model's exception comes to."""
    return MemoryExhausted() if is_out_of_memory(error) else InputError(first_line(error))
