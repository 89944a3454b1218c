"""A model for benchmarks: opened by the one loader when the first row is due, and kept over several tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.models.runtime.load import LANGUAGE_MODEL, load_classifier, open_weights

if TYPE_CHECKING:
    from auditor.models.runtime.classifier import Classifier
    from auditor.models.runtime.load import Opened
    from store.records import Profile


@dataclass
class Subject:
    """A model that benchmarks ask.

    The harness ties weights and sets a pad token in what it is given, so this object is for benchmarks alone: nothing
    is hashed or merged from it.

    Attributes:
        profile: of the model; what is opened are the files that it was made of.
        device: `cpu`, `cuda:0`, …
        dtype: `float32`, `bfloat16` or `float16`.
    """

    profile: Profile
    device: str
    dtype: str
    _opened: Opened | None = None
    _classifier: Classifier | None = None
    _harness: dict[int, Any] = field(default_factory=dict)

    def opened(self) -> Opened:
        """The language model with its tokenizer.

        Raises:
            ModelError: its files changed since, or cannot be loaded.
        """
        if self._opened is None:
            self._opened = open_weights(self.profile, LANGUAGE_MODEL, device=self.device, dtype=self.dtype)
        return self._opened

    def classifier(self) -> Classifier:
        """The classifier.

        Raises:
            ModelError: its files changed since, or cannot be loaded.
        """
        if self._classifier is None:
            self._classifier = load_classifier(self.profile, device=self.device, dtype=self.dtype)
        return self._classifier

    def harness(self, batch_size: int) -> Any:
        """The language model as lm-evaluation-harness takes it (`HFLM`)."""
        if batch_size not in self._harness:
            from lm_eval.models.huggingface import HFLM

            opened = self.opened()
            self._harness[batch_size] = HFLM(
                pretrained=opened.model, tokenizer=opened.tokenizer, batch_size=batch_size, trust_remote_code=False
            )
        return self._harness[batch_size]

    def close(self) -> None:
        """Frees the model's memory."""
        if self._classifier is not None:
            self._classifier.close()
        self._opened = self._classifier = None
        self._harness.clear()
        if self.device.startswith("cuda"):
            import gc

            import torch

            gc.collect()
            torch.cuda.empty_cache()
