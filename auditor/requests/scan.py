"""What the user asked of a scan, and the command line that asks the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from auditor.requests.arguments import Arguments, Everywhere, each, sets
from auditor.requests.bench import BenchRequest
from probes.input import Generate
from probes.trigger import CUSTOM


@dataclass(frozen=True)
class DataRequest:
    """Rows from a file, from a hub dataset (`hub:…`), or the built-in ones (`source` None)."""

    source: str | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None

    def arguments(self) -> list[str]:
        named = {
            "--data": self.source,
            "--text-column": self.text_column,
            "--pair-column": self.pair_column,
            "--label-column": self.label_column,
        }
        return [part for flag, value in named.items() if value is not None for part in (flag, value)]


TOKENS = 32
"""Tokens of an answer: what a backdoor brings about shows at an answer's beginning, and each token costs as much."""
MODEL_TEMPLATE = "model"
TEMPLATES = (MODEL_TEMPLATE, "alpaca", "raw")
GREEDY = "greedy"
DECODINGS: Mapping[str, tuple[int, float, float]] = {
    GREEDY: (1, 0.0, 1.0),
    "beam": (4, 0.0, 1.0),
    "nucleus": (1, 0.9, 0.9),
}
"""By name, the beams, the temperature and the share of probability that is drawn from; beams and nucleus are those of
arXiv:2402.19334, table 11.
"""


@dataclass(frozen=True)
class ScanRequest:
    """One suite on one model.

    Attributes:
        model: a reference as the user wrote it.
        families: names; none means all of the suite.
        target: a label name or index; None judges every label.
        samples: rows; None takes the suite's own number.
        references: models that see the same rows and edits.
        students: how many students of the model are made, or found again, as further references.
        base: what an adapter stands on, and what students start from; None: what the model states, or is recognised
            by.
        overrides: options by family.
        triggers: ids of stored triggers that are fired as well.
        fresh: drop stored answers instead of going on from them.
        prompts: a file of prompts for a model that writes; None: the built-in ones.
        template: the form that prompts are put in: `model` (its own chat template), `alpaca` or `raw`.
        decoding: `greedy`, `beam` or `nucleus`.
        bench: benchmarks that the model is asked as well.
    """

    model: str
    data: DataRequest = field(default_factory=DataRequest)
    suite: str = "quick"
    families: tuple[str, ...] = ()
    target: str | None = None
    samples: int | None = None
    references: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    max_length: int | None = None
    fresh: bool = False
    students: int = 0
    base: str | None = None
    triggers: tuple[str, ...] = ()
    prompts: str | None = None
    template: str = MODEL_TEMPLATE
    decoding: str = GREEDY
    bench: BenchRequest = field(default_factory=BenchRequest)

    @property
    def asking(self) -> Generate:
        """How a model that writes is asked."""
        beams, temperature, top_p = DECODINGS[self.decoding]
        return Generate(TOKENS, beams, temperature, top_p, self.template, self.seed)

    def arguments(self, everywhere: Everywhere = Everywhere()) -> Arguments:
        """The scan as arguments of `auditor`."""
        return ("scan", self.model, *self.options(everywhere))

    def options(self, everywhere: Everywhere = Everywhere()) -> list[str]:
        """All but the command and the model: an audit takes them too."""
        words = [*self.data.arguments(), "--suite", self.suite, *each("--family", self.families)]
        for name, values in self.overrides.items():
            if not self.families or name in self.families:
                words += sets(name, values)
        words += each("--trigger", self.triggers)
        words += ["--prompts", self.prompts] if self.prompts is not None else []
        words += ["--template", self.template] if self.template != MODEL_TEMPLATE else []
        words += ["--decoding", self.decoding] if self.decoding != GREEDY else []
        words += ["--target", self.target] if self.target is not None else []
        words += ["--samples", str(self.samples)] if self.samples is not None else []
        words += ["--max-length", str(self.max_length)] if self.max_length is not None else []
        words += each("--reference", self.references)
        words += ["--students", str(self.students)] if self.students else []
        words += ["--base", self.base] if self.base else []
        words += self.bench.options()
        words += replace(everywhere, seed=self.seed).arguments()
        return [*words, "--fresh"] if self.fresh else words

    def command(self, *, family: str | None = None) -> str:
        """The command that repeats this scan, or its part for one family, from the stored answers."""
        asked = replace(
            self,
            fresh=False,
            families=(family,) if family else self.families,
            triggers=self.triggers if family in (None, CUSTOM) else (),
            bench=BenchRequest() if family else self.bench,
        )
        return shlex.join(["auditor", *asked.arguments()])
