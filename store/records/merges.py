"""Merges that were made, and searches for a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartnerUse:
    """A partner in a merge and its weight."""

    reference: str
    digest: str
    weight: float


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that was made.

    `kept` is the mean coefficient over the suspect's task vector (0 to 1). Where parts of it are kept in different
    measure, each tensor counts by the squared length of its difference from the base, or without one from the mean of
    the partners.
    """

    strategy: str
    options: Mapping[str, object]
    suspect: str
    suspect_digest: str
    suspect_weight: float
    kept: float
    partners: tuple[PartnerUse, ...]
    output: str
    digest: str
    seconds: float
    peak_bytes: int
    device: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A recipe that a search tried, in memory, on rows that do not judge it.

    `weights` maps a group of modules (a kind, or a kind in some layers) to one weight a model, the suspect's first;
    they are those of `strategy`, with `options`. `gap` is how far its worst attack
    success rate stood above the partners' mean, `clean` its clean accuracy or agreement with the suspect, `kept` the
    share of the suspect that it keeps; fractions. `front` says whether no other trial was better in all three.
    """

    number: int
    weights: Mapping[str, tuple[float, ...]]
    gap: float
    clean: float
    kept: float
    front: bool = False
    chosen: bool = False
    strategy: str = "wag"
    options: Mapping[str, object] = field(default_factory=dict)
    asr: float | None = None
    """The mean attack success rate over all attacks."""


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search for a recipe: the partners in the weights' order, how many trials and rows, and those worth showing.

    `trials` are the front and the chosen one; `confirmed` how the candidates did on rows that the search did not use,
    and `average` the plain average of all models among them.
    """

    partners: tuple[str, ...]
    tried: int
    rows: int
    confirm_rows: int
    seconds: float
    trials: tuple[TrialRow, ...]
    confirmed: tuple[TrialRow, ...]
    average: TrialRow | None = None
