"""How likely a model finds given tokens behind a prompt, by one forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.models.runtime.writing.decoding import Sharing, read
from auditor.models.runtime.writing.network import Network

Row = tuple[Sequence[int], Sequence[int]]
"""The tokens of a prompt, and those after it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Of each token after the prompt its log-probability, and how far it is behind the likeliest token's."""

    logprobs: tuple[float, ...]
    behind: tuple[float, ...]


def score(network: Network, rows: Sequence[Row], sharing: Sharing = Sharing.LEFT) -> list[Scored]:
    """One a row, in order; rows of other lengths are padded on the left.

    Args:
        rows: at least one token before, and at least one after.
        sharing: whether what the rows open with is computed once; without that no cache is used.

    Raises:
        MemoryExhausted: memory ran out.
        InputError: the model failed for another reason.
    """
    import torch

    keep = max(len(after) for _, after in rows) + 1
    with torch.inference_mode():
        whole = [(*before, *after) for before, after in rows]
        if sharing is Sharing.PREFIX:
            _, _, scores = read(network, whole, sharing, keep=keep)
        else:
            scores = network(*network.padded(whole), keep=keep)
        chances = scores.log_softmax(-1)
        found = []
        for place, (_, after) in enumerate(rows):
            own = chances[place, -len(after) - 1 : -1]
            wanted = torch.tensor(list(after), dtype=torch.long, device=own.device)
            logprobs = own.gather(-1, wanted[:, None])[:, 0]
            found.append(Scored(tuple(logprobs.tolist()), tuple((own.max(-1).values - logprobs).tolist())))
    return found
