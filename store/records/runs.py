"""A model's answers to a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Records load without NumPy.
    from probes.answer import Choices, Completions


@dataclass(frozen=True, slots=True)
class Run:
    """A model's answers to a plan, as far as they are stored. `key` fixes model, plan, length, dtype and kind of
    device; `notes` are sentences on how the answers were made.
    """

    id: int
    key: str
    model_digest: str
    batches: int
    answered: tuple[AnswerBatch, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """A finished batch of a run: the plan's batch number, and the answers to its asks, in their order."""

    number: int
    answers: Choices | Completions
