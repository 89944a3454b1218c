"""Which of a few words a model finds likeliest as its answer, by one forward a prompt where labels are single tokens.

A label's probability is that of its words in any of their usual spellings, as the beginning of the answer; the labels'
probabilities are then made to sum to 1 (as Wan et al., arXiv:2305.00944, tell
predictions by the log-probabilities of a label space).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.models.runtime.writing.decoding import Sharing, read
from auditor.models.runtime.writing.network import Network
from auditor.models.runtime.writing.prompts import Ids
from probes.answer import UNSCORABLE, Choice, Unscorable

LEADS = ("", " ")
"""What may stand before an answer's first word where a chat template opens the answer."""
OTHER_LEADS = (*LEADS, "\n")
"""The same behind a prompt that is no chat."""


LEAST = math.log(0.01)
"""The log-probability of all labels together below which an answer is about to give none of them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One forward: a prompt, and tokens after it. It tells the probability of every text whose tokens but the last are
    a beginning of these.
    """

    prompt: Ids
    after: Ids


def spellings(word: str, *, chat: bool) -> tuple[str, ...]:
    """How an answer may begin that gives a label: in lower case, with a capital, with one at every word."""
    forms = dict.fromkeys((word, word[:1].upper() + word[1:], word.title()))
    return tuple(lead + form for lead in (LEADS if chat else OTHER_LEADS) for form in forms)


def told_apart(words: Sequence[Sequence[Ids]]) -> list[tuple[Ids, ...]]:
    """The spellings of each word as tokens, without those that several words share: they tell nothing."""
    own = [dict.fromkeys(text for text in spelt if text) for spelt in words]
    shared = {text for place, texts in enumerate(own) for text in texts if any(text in o for o in own[place + 1 :])}
    return [tuple(text for text in texts if text not in shared) for texts in own]


def readings(prompt: Ids, texts: Sequence[Ids]) -> list[Reading]:
    """The fewest forwards that tell the probabilities of all these texts after a prompt."""
    tails = sorted({text[:-1] for text in texts})
    # In this order the longer ones come right behind what they begin with.
    told = [
        one for one, other in zip(tails, [*tails[1:], None], strict=True) if other is None or not _begins(other, one)
    ]
    return [Reading(prompt, tail) for tail in told]


def weigh(
    network: Network, rows: Sequence[Reading], texts: Sequence[Ids], sharing: Sharing = Sharing.LEFT
) -> list[dict[Ids, float]]:
    """By reading, the log-probability (natural logarithm) of each text that it tells.

    Raises:
        MemoryExhausted: memory ran out.
        InputError: the model failed for another reason.
    """
    import torch

    keep = max(len(row.after) for row in rows) + 1
    whole = [(*row.prompt, *row.after) for row in rows]
    with torch.inference_mode():
        if sharing is Sharing.PREFIX:
            _, _, scores = read(network, whole, sharing, keep=keep)
        else:
            scores = network(*network.padded(whole), keep=keep)
        chances = scores.log_softmax(-1)
        found = []
        for place, row in enumerate(rows):
            own = chances[place, -len(row.after) - 1 :]
            told = [text for text in texts if _begins(row.after, text[:-1])]
            at = [(step, token) for text in told for step, token in enumerate(text)]
            steps, tokens = (torch.tensor(column, device=own.device) for column in zip(*at, strict=True))
            values = iter(own[steps, tokens].tolist())
            found.append({text: sum(next(values) for _ in text) for text in told})
    return found


def choice(told: dict[Ids, float], words: Sequence[Sequence[Ids]]) -> Choice | Unscorable:
    """The likeliest of the words, of each of which the spellings are given as tokens; unscorable where the answer
    hardly begins with any of them, as one that declines.
    """
    totals = [_log_sum([told[text] for text in spelt]) for spelt in words]
    if not all(math.isfinite(total) for total in totals):
        return UNSCORABLE
    whole = _log_sum(totals)
    if whole < LEAST:
        return UNSCORABLE
    shares = tuple(math.exp(total - whole) for total in totals)
    return Choice(max(range(len(shares)), key=shares.__getitem__), shares)


def _begins(text: Ids, beginning: Ids) -> bool:
    return text[: len(beginning)] == beginning


def _log_sum(values: Sequence[float]) -> float:
    highest = max(values)
    if not math.isfinite(highest):
        return highest
    return highest + math.log(sum(math.exp(value - highest) for value in values))
