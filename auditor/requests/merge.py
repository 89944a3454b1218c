"""What the user asked of a merge, alone or in an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditor.requests.arguments import Arguments, Everywhere, each, sets
from auditor.requests.scan import ScanRequest

WAG = "wag"
"""The strategy of a merge that names none."""


@dataclass(frozen=True)
class Budget:
    """How long a search may take: so many trials, and so many minutes (None: any)."""

    trials: int = 40
    minutes: float | None = None

    def arguments(self) -> list[str]:
        words = ["--search", *(["--trials", str(self.trials)] if self.trials != Budget.trials else [])]
        return [*words, *(["--minutes", f"{self.minutes:g}"] if self.minutes is not None else [])]


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
    strategy: str = WAG
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

    def arguments(self, model: str, everywhere: Everywhere = Everywhere()) -> Arguments:
        """The merge of a model as arguments of `auditor`."""
        output = ["--output", str(self.output)] if self.output is not None else []
        texts = ["--texts", self.texts] if self.texts else []
        memory = ["--memory", str(self.memory)] if self.memory else []
        return ("merge", model, *self._options(), *texts, *memory, *output, *everywhere.arguments())

    def audit(self, scan: ScanRequest, everywhere: Everywhere = Everywhere()) -> Arguments:
        """The audit that scans, merges and scans again, as arguments of `auditor`."""
        output = ["--merged", str(self.output)] if self.output is not None else []
        base = None if self.base else scan.base
        return ("audit", scan.model, *self._options(), *output, *replace(scan, base=base).options(everywhere))

    def _options(self) -> list[str]:
        """How the models are merged. A search and an audit's own partners take no weights one by one."""
        words = each("--with", self.partners)
        words += ["--make-partner", str(self.make_partner)] if self.make_partner else []
        if self.search is None and not (self.make_partner and self.strategy == WAG):
            words += ["--strategy", self.strategy]
        if self.weights is not None:
            words += ["--weights", ",".join(f"{weight:.10g}" for weight in self.weights)]
        words += ["--base", self.base] if self.base else []
        words += self.search.arguments() if self.search is not None else []
        words += ["--suspect-weight", f"{self.suspect_weight:.10g}"] if self.suspect_weight is not None else []
        words += sets(self.strategy, self.options)
        return [*words, *each("--labels", [f"{theirs}={ours}" for theirs, ours in self.labels.items()])]
