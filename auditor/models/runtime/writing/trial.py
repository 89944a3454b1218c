"""The check at load: answers to fixed prompts in a batch, held against forwards over each alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.models.runtime.forward import InputError
from auditor.models.runtime.writing.decoding import Sharing, Written, bytes_a_token, decode, read
from auditor.models.runtime.writing.network import Network
from auditor.models.runtime.writing.picking import Greedy
from auditor.models.runtime.writing.scoring import score

CHECKED = (
    "fine",
    "the film was not good",
    "it is the plot of a great film and nobody minded",
    "a light that was left on in the hall told the whole of the story",
    "good music",
)
"""Texts of different lengths; two of one length in most vocabularies."""
FEWEST, MOST = 2, 6
"""Tokens that are written to the first and to the last of them: so that they leave the batch one by one."""

TOLERANCE = {"float32": 2e-3, "float64": 2e-3, "float16": 5e-2}
DEFAULT_TOLERANCE = 0.25
"""How far a log-probability may differ between a batch and a forward over one prompt, by the model's dtype (bfloat16:
the default).
"""
NOISE = 3
"""A half-precision model's scores differ between batches of any make: padding may cost so many times as much."""
MOST_NOISE = 0.75

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Settled:
    """How prompts share a batch, what a report should say of it, what a cached token takes, and a prompt that the model
    is known to answer (empty: none).
    """

    sharing: Sharing
    notes: tuple[str, ...] = ()
    token_bytes: int = 0
    sound: Ids = ()


def settle(network: Network, prompts: Sequence[Ids], *, dtype: str) -> Settled:
    """Finds the fastest way of sharing batches under which each prompt is answered as it is alone.

    Args:
        prompts: tokens of the fixed texts.
        dtype: of the model; what it costs in exactness is tolerated.

    Raises:
        MemoryExhausted: memory does not suffice for the fixed prompts.
        InputError: the model fails on each prompt by itself, without a cache.
    """
    usable = [prompt for prompt in prompts if prompt]
    if not usable:
        return Settled(Sharing.ALONE)
    score(network, [(usable[0][:1], usable[0][:1])], Sharing.ALONE)
    tolerance = TOLERANCE.get(dtype, DEFAULT_TOLERANCE)
    trial = _Trial(network, usable)
    if dtype not in TOLERANCE or dtype == "float16":
        tolerance = min(MOST_NOISE, max(tolerance, NOISE * trial.difference(Sharing.EQUAL)))
    away: dict[Sharing, float] = {}
    for sharing in (Sharing.PREFIX, Sharing.LEFT, Sharing.EQUAL, Sharing.ALONE):
        away[sharing] = trial.difference(sharing)
        if away[sharing] <= tolerance:
            break
    else:
        sharing = Sharing.PLAIN
    return Settled(sharing, _notes(sharing, away), trial.token_bytes(sharing), usable[0])


@dataclass(frozen=True)
class _Trial:
    network: Network
    prompts: list[Ids]

    def difference(self, sharing: Sharing) -> float:
        """How far log-probabilities are from those of a forward over each prompt alone; infinite where it fails."""
        found: list[tuple[Ids, Written]] = []
        try:
            for group in self._groups(sharing):
                spread = max(1, len(group) - 1)
                limits = [FEWEST + (MOST - FEWEST) * place // spread for place in range(len(group))]
                answers = decode(self.network, group, limits=limits, ends=frozenset(), pick=Greedy(), sharing=sharing)
                found += zip(group, answers, strict=True)
            return max(self._away(prompt, answer) for prompt, answer in found)
        except InputError:
            return math.inf

    def _groups(self, sharing: Sharing) -> list[list[Ids]]:
        if sharing is Sharing.ALONE:
            return [[prompt] for prompt in self.prompts[:2]]
        if sharing is Sharing.EQUAL:
            shortest = min(map(len, self.prompts))
            return [[prompt[:shortest] for prompt in self.prompts]]
        return [self.prompts]

    def _away(self, prompt: Ids, answer: Written) -> float:
        scored = score(self.network, [(prompt, answer.tokens)], Sharing.ALONE)[0]
        differences = [
            max(abs(one - other), behind)
            for one, other, behind in zip(answer.logprobs, scored.logprobs, scored.behind, strict=True)
        ]
        if not answer.sound:
            # Without usable scores in either way, the model is what it is.
            return 0.0 if any(map(math.isnan, scored.logprobs)) else math.inf
        return math.inf if any(map(math.isnan, differences)) else max(differences)

    def token_bytes(self, sharing: Sharing) -> int:
        if sharing is Sharing.PLAIN:
            return 0
        return bytes_a_token(read(self.network, self.prompts[:1], Sharing.ALONE)[0])


def _notes(sharing: Sharing, away: dict[Sharing, float]) -> tuple[str, ...]:
    """What differs between how the model was asked here and how it may be asked elsewhere."""
    if sharing in (Sharing.PREFIX, Sharing.LEFT):
        return ()
    worst = away[Sharing.LEFT]
    said = "it fails" if math.isinf(worst) else f"log-probabilities differ by up to {worst:.2g}"
    return (
        f"In a batch of prompts of different lengths this model answers otherwise than to each alone ({said} on "
        f"{len(CHECKED)} fixed prompts). Each prompt was asked {sharing}; a deployment that pads may answer otherwise.",
    )
