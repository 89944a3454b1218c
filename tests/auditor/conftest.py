"""Answers made by hand: what a model says of a plan's rows, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import typer

from auditor.cli import app
from auditor.console.arguments import spread
from auditor.policy import Policy
from auditor.scan.judgement.classification import behaviours_of, quality_of
from auditor.scan.judgement.compared import Comparisons
from auditor.scan.judgement.judge import Judgement, judge
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import Trials, probe_places, reference_of
from auditor.scan.plan import Plan, make_plan
from probes.answer import Choices, Labels, Places
from probes.input import Row
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


SPREAD: dict[str, tuple[Plan, dict[str, Places]]] = {}


def by_case(plan: Plan) -> tuple[Plan, dict[str, Places]]:
    """A plan with an answer a case, also where cases share an input, and the places of each probe's."""
    if plan.key not in SPREAD:
        made = replace(plan, inputs=tuple(c.input for c in plan.cases), position=tuple(range(len(plan.cases))))
        SPREAD[plan.key] = made, probe_places(made)
    return SPREAD[plan.key]


@dataclass
class Sheet:
    """A model that is right on every clean row and that no edit moves, until it is told otherwise."""

    plan: Plan
    names: tuple[str, ...] = ("negative", "positive")
    labelled: bool = True
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
    def trials(self) -> Trials:
        return self.told()

    def told(self, targets: Sequence[int] | None = None, reference: Sequence[int] = ()) -> Trials:
        """The trials of some targets; rows are held against gold labels, or their own answers, or these."""
        plan, laid = by_case(self.plan)
        cases = plan.cases
        labels = np.zeros(len(cases), dtype=np.int64)
        labels[: len(self.clean)] = self.clean
        for name, places in laid.items():
            trigger, control = self.probes[name]
            for at, own in ((places[:, 0], trigger), (places[:, 1:], control)):
                labels[at[at >= 0]] = own[at >= 0]
        classes = len(self.names)
        answers = Choices(labels, np.full((len(cases), classes), 1 / classes), self.names)
        rows = plan.rows if self.labelled else [replace(row, label=None) for row in plan.rows]
        held = Choices.known(reference) if reference else reference_of(rows, answers.take(np.arange(len(rows))))
        return Trials(
            plan,
            answers,
            held,
            behaviours_of(self.names, targets),
            _places=laid,
            reproduce=lambda probe: f"auditor scan MODEL --family {probe.family.name}",
        )


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
        rows = [Row.of(i, f"text {i} of the task", None, i % self.classes) for i in range(self.rows)]
        self.plan = make_plan(build_suite(self.suite, only=self.only), rows, seed=0)

    def sheet(self) -> Sheet:
        return Sheet(self.plan, self.names, self.labelled)

    def quality(self, trials: Trials, policy: Policy | None = None) -> Quality:
        if not self.labelled:
            bare = tuple(replace(row, label=None) for row in trials.plan.rows)
            trials = replace(trials, plan=replace(trials.plan, rows=bare))
        return quality_of(trials, self.names, policy or Policy())

    def judge(
        self, sheet: Sheet, *references: Sheet, policy: Policy | None = None, targets: Sequence[int] = ()
    ) -> Judgement:
        return self.weigh(sheet.told(targets or None), [r.trials for r in references], policy)

    def weigh(
        self,
        trials: Trials,
        references: Sequence[Trials] = (),
        policy: Policy | None = None,
        compared: Comparisons = MappingProxyType({}),
    ) -> Judgement:
        return judge(trials, references, self.quality(trials, policy), policy or Policy(), compared)


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
