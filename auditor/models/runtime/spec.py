"""How a model is opened, as data that goes to another process."""

from __future__ import annotations

from dataclasses import dataclass, replace

from probes.input import Asking, Choose
from store.records import Profile

LABELS = Choose()
"""A model is asked for one of its labels."""


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """A model, and how it is opened and asked.

    Attributes:
        profile: of the model; what is opened are the files that it was made of.
        device: `cpu`, `cuda:0`, …
        dtype: `float32`, `bfloat16` or `float16`.
        max_length: tokens after which an input is cut.
        asking: what it is asked for: labels, or texts.
        whole: an input that would be cut is unscorable instead.
    """

    profile: Profile
    device: str
    dtype: str
    max_length: int
    asking: Asking = LABELS
    whole: bool = True

    @property
    def writes(self) -> bool:
        """Whether the model is opened as one that writes: it is asked for texts, or for labels as words."""
        return not isinstance(self.asking, Choose) or bool(self.asking.words)

    @property
    def opening(self) -> LoadSpec:
        """The same without what does not matter to how the model is opened."""
        return replace(self, asking=Choose(template=self.asking.template)) if self.writes else self
