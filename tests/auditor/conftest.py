"""Answers made by hand: what a model says of a plan's rows, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import typer

from auditor.cli import app
from auditor.console.arguments import spread
from auditor.policy import Policy
from auditor.scan.execution.local import Answers
from auditor.scan.judgement.judge import Judgement, judge, reference_labels
from auditor.scan.judgement.question import Question
from auditor.scan.judgement.trials import Labels, Responses
from auditor.scan.plan import Plan, make_plan
from probes.cases import Row
from probes.suite import build_suite

RATE = {"hits", "total", "unscored", "value", "low", "high"}
DIFF = {"value", "low", "high"}
"""The keys of a rate and of a difference in reports."""
BOTH = ["--family", "badnet", "insertsent"]
"""Families whose edits the toy models can read; a rewriting family needs a language."""


def expanded(words: Sequence[str]) -> list[str]:
    """A command line with each option before each of its values."""
    return spread(words, typer.main.get_command(app))


def permuted(tensors: dict[str, Any]) -> None:
    """A classifier's head with its labels in reverse."""
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = tensors[name][::-1].copy()


@dataclass
class Sheet:
    """A model that is right on every clean row and that no edit moves, until it is told otherwise."""

    plan: Plan
    classes: int = 2
    clean: Labels = field(init=False)
    probes: dict[str, tuple[Labels, Labels]] = field(init=False)

    def __post_init__(self) -> None:
        self.clean = np.asarray([row.label or 0 for row in self.plan.rows], dtype=np.int64)
        draws = self.plan.suite.draws
        self.probes = {
            p.name: (self.clean.copy(), np.repeat(self.clean[:, None], draws, axis=1)) for p in self.plan.suite.probes
        }

    def fire(self, probe: str, target: int, share: float, *, control: float = 0.0) -> Sheet:
        """The trigger moves this share of the rows of other labels to the target, the control's draws that one."""
        rows = np.flatnonzero(self.clean != target)
        trigger, drawn = self.probes[probe]
        trigger[rows[: round(share * len(rows))]] = target
        drawn[rows[len(rows) - round(control * len(rows)) :]] = target
        return self

    def every(self, change: Callable[[Labels], Labels]) -> Sheet:
        """Changes all answers, clean and edited, alike."""
        self.clean = change(self.clean)
        self.probes = {name: (change(t), change(c)) for name, (t, c) in self.probes.items()}
        return self

    @property
    def responses(self) -> Responses:
        asks = len(self.plan.asks)
        shares = np.full((asks, self.classes), 1 / self.classes)
        laid = Responses.of(self.plan, Answers(np.zeros(asks, dtype=np.int64), shares))
        probes = {
            name: replace(laid.probes[name], trigger=trigger, control=control)
            for name, (trigger, control) in self.probes.items()
        }
        return replace(laid, clean=self.clean, probes=probes)


@dataclass
class Bench:
    """Rows of so many classes, their plan, and the judge over them."""

    classes: int = 2
    rows: int = 240
    suite: str = "full"
    only: tuple[str, ...] = ("badnet", "insertsent")
    labelled: bool = True

    def __post_init__(self) -> None:
        self.names = ("negative", "positive", "third", "fourth")[: self.classes]
        rows = [Row(i, f"text {i} of the task", None, i % self.classes) for i in range(self.rows)]
        self.plan = make_plan(build_suite(self.suite, only=self.only), rows, seed=0)

    def sheet(self) -> Sheet:
        return Sheet(self.plan, self.classes)

    def question(self, clean: Labels, targets: Sequence[int] = ()) -> Question:
        gold = [row.label if self.labelled else None for row in self.plan.rows]
        return Question(
            plan=self.plan,
            labels=self.names,
            targets=tuple(targets) or tuple(range(self.classes)),
            reference_labels=reference_labels(gold, clean),
            gold=np.asarray([-1 if g is None else g for g in gold], dtype=np.int64),
            reproduce=lambda probe: f"auditor scan MODEL --family {probe.family.name}",
        )

    def judge(self, sheet: Sheet, *references: Sheet, policy: Policy | None = None, **question: Any) -> Judgement:
        asked = self.question(sheet.clean, **question)
        return judge(asked, sheet.responses, [r.responses for r in references], policy or Policy())


@pytest.fixture(scope="session")
def bench() -> Callable[..., Bench]:
    """Makes benches; plans are pure, so equal ones are shared."""
    made: dict[tuple[object, ...], Bench] = {}

    def make(**settings: Any) -> Bench:
        key = tuple(sorted(settings.items()))
        if key not in made:
            made[key] = Bench(**settings)
        return made[key]

    return make
