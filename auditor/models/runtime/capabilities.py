"""What loaded models can do. Whoever uses a model asks for the capability that it needs, and for no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from probes.input import Choose, Input

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from probes.answer import Choices, Completions, Likelihood
    from probes.input import Generate, Input


class LoadedModel(Protocol):
    """A model in memory."""

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

    def parameters(self) -> dict[str, torch.Tensor]:
        """The model's own tensors by name: writing into one changes the answers."""
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...


class Chooses(LoadedModel, Protocol):
    """A model that gives one of its labels to an input."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the probabilities."""
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


class Generates(LoadedModel, Protocol):
    """A model that writes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a report: how the model was asked, and what it failed on so far."""
        ...

    def generate(self, inputs: Sequence[Input], how: Generate) -> Completions:
        """One completion an input, in order; None where it could not write any."""
        ...


class ScoresText(LoadedModel, Protocol):
    """A model that tells how likely it finds a text."""

    def likelihoods(self, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        """How likely each text is after its input."""
        ...


class ChoosesWords(LoadedModel, Protocol):
    """A model that writes, and tells which of a few words it finds likeliest as its answer."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a report: how the model was asked, and what it failed on so far."""
        ...

    def choose(self, inputs: Sequence[Input], how: Choose) -> Choices:
        """One choice an input, in order. An unscorable answer has the label −1, and is never an exception."""
        ...


@dataclass(frozen=True)
class Gradients:
    """What a batch of inputs gives: its losses, shape (inputs,), their gradients by the embeddings of the tokens, shape
    (inputs, tokens, width), 0 at padding, and the tokens' ids, shape (inputs, tokens).
    """

    loss: torch.Tensor
    embeddings: torch.Tensor
    tokens: torch.Tensor


class Loss(Protocol):
    """What a gradient is of: by the model's scores, one loss an input."""

    def __call__(self, scores: torch.Tensor, /) -> torch.Tensor: ...


class Differentiable(LoadedModel, Protocol):
    """A model that tells how its answers change with its inputs."""

    def gradients(self, inputs: Sequence[Input], loss: Loss) -> Iterator[Gradients]:
        """Batch after batch, in order."""
        ...
