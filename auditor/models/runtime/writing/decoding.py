"""One batch of prompts, token after token.

What all prompts open with is computed once. Rows whose answer ended leave the batch, so that the others go on faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditor.models.runtime.writing.network import Network
from auditor.models.runtime.writing.picking import Pick

if TYPE_CHECKING:
    import torch
    from transformers import Cache

Ids = tuple[int, ...]

WORTH_SHARING = 4
"""Tokens from which on a common opening is computed by itself."""
LEAVE = 8
"""Rows leave when so many-th part of the batch has ended: each time, what is kept of the others is copied."""


class Sharing(StrEnum):
    """How prompts share a batch, from the fastest on."""

    PREFIX = "padded on the left, behind the opening that all of them share"
    LEFT = "padded on the left"
    EQUAL = "only with prompts of its own length"
    ALONE = "by itself"
    PLAIN = "by itself, by transformers' own generate"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written to a prompt: tokens without the one that ends the answer, and their log-probabilities.

    `finished` is False where the answer was cut; `sound` is False where the model gave no usable scores.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool = True
    sound: bool = True


def decode(
    network: Network,
    prompts: Sequence[Ids],
    *,
    limits: Sequence[int],
    ends: frozenset[int],
    pick: Pick,
    sharing: Sharing = Sharing.PREFIX,
) -> list[Written]:
    """Answers to the prompts of one batch, in order.

    Args:
        prompts: tokens, at least one each.
        limits: the most tokens of each answer, at least one.
        ends: tokens that end an answer.
        sharing: whether what the prompts open with is computed once. Prompts of other lengths are padded in any case.

    Raises:
        MemoryExhausted: memory ran out.
        InputError: the model failed for another reason.
    """
    import torch

    count, most = len(prompts), max(limits)
    device = network.device
    most_of = torch.tensor(limits, device=device)
    stops = torch.tensor(sorted(ends), dtype=torch.long, device=device)
    tokens = torch.zeros((count, most), dtype=torch.long, device=device)
    logprobs = torch.zeros((count, most), device=device)
    lengths = torch.zeros(count, dtype=torch.long, device=device)
    finished, sound = (torch.full((count,), value, device=device) for value in (False, True))
    with torch.inference_mode():
        # By row of the batch: which prompt it is, and whether its answer is over.
        rows = torch.arange(count, device=device)
        over = torch.zeros(count, dtype=torch.bool, device=device)
        cache, mask, scores = read(network, prompts, sharing)
        scores = scores[:, -1]
        for step in range(most):
            picked = pick(scores, rows, step)
            tokens[rows, step], logprobs[rows, step] = picked.tokens, picked.logprobs
            ended = torch.isin(picked.tokens, stops)
            stopping = (ended | ~picked.sound | (most_of[rows] <= step + 1)) & ~over
            lengths[rows[stopping]] = torch.where(ended[stopping], step, step + 1)
            finished[rows[stopping]] = ended[stopping]
            sound[rows[stopping]] = picked.sound[stopping]
            over |= stopping
            left, given = int((~over).sum()), picked.tokens
            if not left:
                break
            if (len(rows) - left) * LEAVE >= len(rows):
                stay = (~over).nonzero()[:, 0]
                network.select(cache, stay)
                rows, over, mask, given = rows[stay], over[stay], mask[stay], given[stay]
            mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
            scores = network(given[:, None], mask, cache)[:, -1]
        table, chances, sizes = tokens.tolist(), logprobs.tolist(), lengths.tolist()
    ending, usable = finished.tolist(), sound.tolist()
    return [
        Written(tuple(table[i][: sizes[i]]), tuple(chances[i][: sizes[i]]), ending[i], usable[i]) for i in range(count)
    ]


def read(
    network: Network, prompts: Sequence[Ids], sharing: Sharing, *, keep: int = 1
) -> tuple[Cache, torch.Tensor, torch.Tensor]:
    """The prompts read: the cache, the mask of its columns, and the scores behind the last `keep` tokens.

    Args:
        keep: no more than what the prompts have behind what they share.
    """
    import torch

    cache = network.new_cache()
    shared = common_opening(prompts, keep) if sharing is Sharing.PREFIX and len(prompts) > 1 else 0
    if shared < WORTH_SHARING or not spreads(cache):
        tokens, mask = network.padded(prompts)
        return cache, mask, network(tokens, mask, cache, keep=keep)
    opening, mask = network.padded([prompts[0][:shared]])
    network(opening, mask, cache)
    network.select(cache, torch.zeros(len(prompts), dtype=torch.long, device=network.device))
    tokens, real = network.padded([prompt[shared:] for prompt in prompts])
    mask = torch.cat([mask.expand(len(prompts), -1), real], dim=1)
    return cache, mask, network(tokens, mask, cache, keep=keep)


def common_opening(prompts: Sequence[Ids], keep: int = 1) -> int:
    """How many tokens all prompts open with, so that the shortest has `keep` left."""
    # What the first and the last of them in order share, all share.
    first, last = min(prompts), max(prompts)
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return max(0, min(shared, *(len(prompt) - keep for prompt in prompts)))


def spreads(cache: Cache) -> bool:
    """Whether an opening in the cache may stand before padding.

    Sliding windows count padding as distance, and recurrent states run through it.
    """
    return not any(cache.is_sliding) and not any(cache.is_linear)


def bytes_a_token(cache: Cache) -> int:
    """What a cache holds of a token of one prompt, in bytes; 0 where that cannot be told."""
    found = 0
    for layer in cache.layers:
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        if keys is not None and values is not None and keys.ndim == 4 and keys.shape[-2]:
            rows, length = keys.shape[0], keys.shape[-2]
            found += (keys.nbytes + values.nbytes) // (rows * length)
    return found
