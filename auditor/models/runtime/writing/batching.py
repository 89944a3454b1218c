"""Prompts in batches: longest first, as many as memory is to be given for, and fewer once it ran out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from auditor.errors import ModelError
from auditor.models.runtime.forward import InputError, free
from auditor.models.runtime.writing.decoding import Sharing
from auditor.models.runtime.writing.network import MemoryExhausted, Network

T = TypeVar("T")

Answer = Callable[[list[int], Sharing], Sequence[T]]
"""Answers a batch, given as places: one an entry, in order."""


class Batches:
    """Runs batches under a budget.

    Args:
        network: what answers; it is asked for its device alone.
        sharing: how prompts share a batch.
        max_tokens: tokens a batch, those to be written included.
        failed: is told of each prompt that the model fails on by itself; may raise.
    """

    def __init__(
        self, network: Network, sharing: Sharing, *, max_tokens: int, failed: Callable[[InputError], None]
    ) -> None:
        self._network = network
        self._sharing = sharing
        self._failed = failed
        self.max_tokens = max_tokens

    def run(self, lengths: Sequence[int], answer: Answer[T], *, most: int | None = None) -> list[T | None]:
        """Answers in order; None where the model fails on one by itself.

        Longest first, so that memory runs out at once if it does.

        Args:
            lengths: tokens that each takes.
            most: rows a batch, where there is another limit than memory.

        Raises:
            ModelError: memory does not suffice for one.
        """
        found: list[T | None] = [None] * len(lengths)
        order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        at = 0
        while at < len(order):
            chosen = self._fitting(order[at:], lengths, most or len(order))
            try:
                answers: Sequence[T | None] = answer(chosen, self._sharing)
            except MemoryExhausted:
                self._halve(len(chosen), lengths[chosen[0]])
                continue
            except InputError:
                answers = self._one_by_one(chosen, lengths, answer)
            for place, one in zip(chosen, answers, strict=True):
                found[place] = one
            at += len(chosen)
        return found

    def _fitting(self, order: list[int], lengths: Sequence[int], most: int) -> list[int]:
        """The places that make the next batch, longest first: at least one."""
        if self._sharing in (Sharing.ALONE, Sharing.PLAIN):
            return order[:1]
        longest = lengths[order[0]]
        chosen = order[: max(1, min(most, self.max_tokens // longest))]
        return [place for place in chosen if lengths[place] == longest] if self._sharing is Sharing.EQUAL else chosen

    def _one_by_one(self, chosen: list[int], lengths: Sequence[int], answer: Answer[T]) -> list[T | None]:
        """The prompts of a batch that the model failed on, each alone: what is one's must not cost the others."""
        found: list[T | None] = []
        alone = Sharing.PLAIN if self._sharing is Sharing.PLAIN else Sharing.ALONE
        for place in chosen:
            try:
                found += answer([place], alone)
            except MemoryExhausted:
                raise out_of_memory(self._network, lengths[place]) from None
            except InputError as error:
                self._failed(error)
                found.append(None)
        return found

    def _halve(self, rows: int, width: int) -> None:
        """Goes on with half the batch after memory ran out."""
        free(self._network.device.type)
        if rows <= 1:
            raise out_of_memory(self._network, width)
        self.max_tokens = max(1, rows * width // 2)


def out_of_memory(network: Network, width: int) -> ModelError:
    """Not even one prompt fits."""
    return ModelError(
        f"memory on {network.device} does not suffice for one prompt of {width} tokens",
        hint="End what else runs there, or try --device cpu.",
    )
