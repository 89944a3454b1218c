"""How well a model predicts a text: the perplexity of its tokens, with a window that moves in strides.

Each token is predicted once, from all tokens before it that stand in the window then: at least window − stride of
them, but at the beginning ("Perplexity of fixed-length models", Hugging Face Transformers documentation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.bench.task import digest_of
from auditor.errors import ModelError, UsageError
from auditor.models.runtime.quiet import quiet
from auditor.requests.bench import PERPLEXITY, BenchRequest
from store.records import BenchmarkRow, BenchmarkScore

if TYPE_CHECKING:
    from auditor.bench.opening import Subject
    from store.records import Profile

WINDOW = 1024
VERSION = "1"


@dataclass
class Perplexity:
    """The perplexity of a text; implements `Benchmark`. A row is a window, with the tokens that it is the first to see.

    Attributes:
        text: it.
        window: tokens that are shown at once.
        stride: tokens by which the window moves.
        limit: windows, from the beginning; None takes all.
    """

    text: str
    window: int
    stride: int
    limit: int | None = None
    _tokens: list[int] = field(default_factory=list)
    _owner: Any = None

    name = PERPLEXITY
    part = 2

    @property
    def digest(self) -> str:
        """Of text and windows."""
        return digest_of(self.name, VERSION, self.text, str(self.window), str(self.stride), str(self.limit))

    @property
    def asked(self) -> str:
        """How a model is asked, in words."""
        return f"windows of {self.window} tokens that move by {self.stride}, the tokenizer's own beginning-of-text"

    def rows(self, subject: Subject) -> int:
        """How many windows there are."""
        return len(self._windows(subject))

    def score(self, subject: Subject, start: int, stop: int) -> list[BenchmarkRow]:
        """The windows of these places: the sum of their tokens' negative log-likelihoods (natural), and how many.

        Raises:
            ModelError: the model fails on them.
        """
        import torch

        opened = subject.opened()
        model: Any = opened.model
        found = []
        for begin, seen, end in self._windows(subject)[start:stop]:
            tokens = torch.tensor([self._tokens[begin:end]], device=model.device)
            try:
                with quiet(), torch.inference_mode():
                    logits = model(tokens).logits[0, :-1].float()
            except Exception as error:
                raise ModelError(f"{subject.profile.ref.reference} fails on a window of the text: {error}") from error
            chances = logits.log_softmax(-1).gather(-1, tokens[0, 1:, None])[:, 0]
            own = chances[max(seen - begin, 1) - 1 :].double()
            values = {PERPLEXITY: (-float(own.sum()), float(own.numel()))}
            place = digest_of(*map(str, self._tokens[begin:end]), str(seen))
            found.append(BenchmarkRow(place, values))
        return found

    def totals(self, rows: Sequence[BenchmarkRow]) -> tuple[BenchmarkScore, ...]:
        """The perplexity, with its standard error from window to window (delta method)."""
        parts = np.array([row.values[PERPLEXITY] for row in rows], dtype=float)
        value = math.exp(float(parts[:, 0].sum() / parts[:, 1].sum()))
        error = math.nan
        if len(parts) > 1:
            apart = parts[:, 0] - parts[:, 0].sum() / parts[:, 1].sum() * parts[:, 1]
            error = value * float(np.std(apart, ddof=1)) * math.sqrt(len(parts)) / float(parts[:, 1].sum())
        return (BenchmarkScore(self.name, PERPLEXITY, value, error, len(parts), "", self.asked, False, True),)

    def _windows(self, subject: Subject) -> list[tuple[int, int, int]]:
        """First token, first token that is predicted, and end, of each window."""
        if self._owner is not subject.opened().tokenizer:
            self._owner = subject.opened().tokenizer
            with quiet():
                self._tokens = list(subject.opened().tokenizer(self.text)["input_ids"])
        total, found, seen = len(self._tokens), [], 0
        if total < 2:
            raise UsageError("the text has fewer than two tokens: there is nothing to predict")
        for begin in range(0, total, self.stride):
            end = min(begin + self.window, total)
            # A window of one token at the very beginning predicts nothing.
            if end > max(seen, 1):
                found.append((begin, seen, end))
            seen = end
            if end == total:
                break
        return found if self.limit is None else found[: self.limit]


def perplexity_task(request: BenchRequest, profile: Profile) -> Perplexity:
    """The perplexity task as a request has it.

    Raises:
        UsageError: there is no text, it cannot be read, or window and stride do not fit each other or the model.
    """
    if request.text is None:
        raise UsageError("the perplexity task needs a text", hint="Name a file with --text (--bench-text).")
    try:
        text = Path(request.text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the text {request.text} cannot be read: {error}") from error
    if not text.strip():
        raise UsageError(f"the text {request.text} is empty")
    most = profile.max_length
    window = request.window or min(WINDOW, most)
    stride = request.stride or max(1, window // 2)
    if not 2 <= window <= most or not 1 <= stride < window:
        raise UsageError(
            f"a window of {window} tokens that moves by {stride} cannot be: {profile.ref.reference} takes {most}, "
            "and a window moves by less than itself",
            hint="Give others with --window and --stride.",
        )
    return Perplexity(text, window, stride, request.limit)
