"""What a scan asks: anything that answers texts. A classifier stands behind it, later a generator too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from probes.case import Ask, Outcome


class Target(Protocol):
    """A loaded model that answers."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the probabilities."""
        ...

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0`, …"""
        ...

    @property
    def dtype(self) -> str:
        """`float32`, `bfloat16`, …"""
        ...

    @property
    def max_length(self) -> int:
        """Tokens after which an input is cut."""
        ...

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """One outcome an ask, in order. An unscorable answer is an outcome without a label, never an exception."""
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...
