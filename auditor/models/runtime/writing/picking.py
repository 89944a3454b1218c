"""Which token comes next: the likeliest one, or one that is drawn from the likeliest of them.

Drawn tokens depend on the seed and the prompt alone, never on the batch: each prompt has random numbers of its own, one
a token, and takes the token at that place of its distribution.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from probes.input import Generate


@dataclass(frozen=True)
class Picked:
    """Of a batch, shape (rows,) each: the tokens, their log-probabilities, and whether there were sound scores."""

    tokens: torch.Tensor
    logprobs: torch.Tensor
    sound: torch.Tensor


@dataclass(frozen=True)
class Greedy:
    """The likeliest token."""

    def __call__(self, scores: torch.Tensor, rows: torch.Tensor, step: int) -> Picked:
        """Tokens by the scores, shape (rows, vocabulary)."""
        best = scores.max(-1)
        return _picked(scores, best.indices)


@dataclass(frozen=True)
class Nucleus:
    """A token drawn from the fewest likeliest ones that hold `top_p` of the probability, after the scores are divided
    by the temperature (arXiv 1904.09751, section 3.1).

    Attributes:
        draws: random numbers in [0, 1), shape (prompts, tokens).
    """

    temperature: float
    top_p: float
    draws: torch.Tensor

    def __call__(self, scores: torch.Tensor, rows: torch.Tensor, step: int) -> Picked:
        """Tokens by the scores, shape (rows, vocabulary).

        Args:
            rows: which prompts these are, by their rows of `draws`.
        """
        import torch

        tempered = torch.nan_to_num(scores.double() / self.temperature, nan=0.0, posinf=0.0, neginf=-1e30)
        found = tempered.softmax(-1).sort(dim=-1, descending=True, stable=True)
        reached = found.values.cumsum(-1)
        kept = (reached - found.values < self.top_p).sum(-1, keepdim=True)
        total = reached.gather(-1, kept - 1)
        wanted = self.draws[rows, step, None] * total
        place = torch.minimum(torch.searchsorted(reached, wanted, right=True), kept - 1)
        return _picked(scores, found.indices.gather(-1, place)[:, 0])


Pick = Greedy | Nucleus


def _picked(scores: torch.Tensor, tokens: torch.Tensor) -> Picked:
    import torch

    total = scores.logsumexp(-1)
    # NaN or an infinite score anywhere makes the sum so; a score of −∞ merely rules a token out.
    return Picked(tokens, scores.gather(-1, tokens[:, None])[:, 0] - total, torch.isfinite(total))


def seed_of(seed: int, prompt: Sequence[int]) -> int:
    """A seed of a prompt's own."""
    said = f"{seed}\n{','.join(map(str, prompt))}"
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")


def pick_for(how: Generate, prompts: Sequence[Sequence[int]], device: torch.device) -> Pick:
    """What `how` asks for, with each prompt's random numbers."""
    import torch

    if how.temperature <= 0:
        return Greedy()
    drawn = [np.random.default_rng(seed_of(how.seed, prompt)).random(how.tokens) for prompt in prompts]
    return Nucleus(how.temperature, how.top_p, torch.from_numpy(np.stack(drawn)).to(device))
