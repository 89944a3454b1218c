"""What the user asked of a merge, alone or in an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Budget:
    """How long a search may take: so many trials, and so many minutes (None: any)."""

    trials: int = 40
    minutes: float | None = None


@dataclass(frozen=True)
class MergeRequest:
    """How models are merged: references as the user wrote them, and where the result goes.

    `weights` has the suspect's first; `suspect_weight` gives the suspect's alone and shares the rest evenly. `texts` is
    a file of texts for strategies that measure the models; `memory` bounds the scratch memory, in MiB. With `search`,
    the recipe is searched instead, within that budget. `numbered`: an audit puts a number behind the output where
    another model lies there. `rescan` names the families that an audit's rescan fires; none means all. `labels` maps
    labels of partners to those of the suspect that are the same. `together`: the partners are suspects themselves.
    `make_partner`: so many students of the suspect, made or found again, are partners beside the others.
    """

    partners: tuple[str, ...] = ()
    strategy: str = "wag"
    weights: tuple[float, ...] | None = None
    suspect_weight: float | None = None
    base: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    output: Path | None = None
    texts: str | None = None
    memory: int | None = None
    search: Budget | None = None
    numbered: bool = False
    rescan: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    together: bool = False
    make_partner: int = 0
