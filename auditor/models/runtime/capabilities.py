"""What a scan asks: anything that answers texts. A classifier stands behind it, later a generator too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from probes.input import Choose, Input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from probes.answer import Choices


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

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a report: how the model was asked, and what it failed on so far."""
        ...

    def scores(self, inputs: Sequence[Input]) -> NDArray[np.float64]:
        """The scores before they become probabilities, shape (inputs, labels); NaN where there are none."""
        ...

    def choose(self, inputs: Sequence[Input], how: Choose = Choose()) -> Choices:
        """One choice an input, in order. An unscorable answer has the label −1, and is never an exception."""
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...
