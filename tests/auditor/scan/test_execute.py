from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.events import BatchAnswered, Event, RunOpened
from auditor.events.journal import journal
from auditor.models.runtime.spec import LoadSpec
from auditor.scan.execution.local import Answered, LocalExecutor
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.judgement.classification import behaviours_of
from auditor.scan.judgement.trials import Trial, Trials
from auditor.scan.plan import Plan, make_plan
from probes.answer import UNSCORABLE, Choice, Choices
from probes.behaviour import LabelIs
from probes.input import Choose, Input, Row, length
from probes.suite import build_suite
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import ModelRef, Profile, Task

ROWS = tuple(Row.of(i, f"a text called x{i}", None, i % 2) for i in range(30))
PROFILE = Profile(
    ModelRef("model", "/model", "d" * 64), "BertForSequenceClassification", "bert", Task.CLASSIFICATION,
    ("negative", "positive"), None, 0, "float32", 128, 0, (), "", "", {},
)  # fmt: skip
LOAD = LoadSpec(PROFILE, "cpu", "float32", 128)
SPEC = RunSpec.of(LOAD)


@dataclass
class Parity:
    """Answers by the length of the text; texts of 20 characters cannot be scored."""

    asked: list[Input] = field(default_factory=list)
    closed: int = 0
    labels = ("negative", "positive")
    device = "cpu"
    dtype = "float32"
    max_length = 128
    notes: tuple[str, ...] = ()

    def scores(self, inputs: Sequence[Input]) -> np.ndarray:
        return np.log([[0.9, 0.1]] * len(inputs))

    def choose(self, inputs: Sequence[Input], how: Choose = Choose()) -> Choices:
        self.asked += inputs
        return Choices.of(
            (UNSCORABLE if n == 20 else Choice(n % 2, (1.0 - n % 2, float(n % 2))) for n in map(length, inputs)), 2
        )

    def parameters(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(build_suite("full", only=["badnet", "insertsent"]), ROWS, seed=0, characters=1500)


def run(
    catalog: Catalog, plan: Plan, target: Parity, *, stop: int | None = None
) -> tuple[list[Event], Answered | None]:
    """Runs through the journal; stops before the batch of this number is answered."""
    opened = catalog.runs.open_run(SPEC.key(plan), model_digest=SPEC.digest, batches=len(plan.batches))
    answers: list[Answered] = []
    executor = LocalExecutor(lambda _: target)

    def whole() -> Iterator[Event]:
        answers.append((yield from executor.run(plan, LOAD, opened, Role.SUSPECT)))

    events: list[Event] = []
    stream = journal(whole(), catalog)  # type: ignore[arg-type]
    for event in stream:
        events.append(event)
        if isinstance(event, BatchAnswered) and event.batch.number + 1 == stop:
            stream.close()
            break
    return events, answers[0] if answers else None


def test_stored_batches_are_not_asked_again_and_the_answers_are_equal(catalog: Catalog, plan: Plan) -> None:
    whole = Parity()
    with open_catalog("sqlite:///:memory:") as other:
        _, expected = run(other, plan, whole)
    first, second = Parity(), Parity()
    run(catalog, plan, first, stop=3)
    assert first.closed == 1, "a stopped scan frees the model"
    events, found = run(catalog, plan, second)
    assert first.asked + second.asked == whole.asked == list(plan.inputs)
    opened = next(e for e in events if isinstance(e, RunOpened))
    assert (opened.resumed, opened.batches) == (3, len(plan.batches))
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.answers.labels, expected.answers.labels)
    np.testing.assert_array_equal(found.answers.probabilities, expected.answers.probabilities)


def test_a_plan_that_is_answered_needs_no_model(catalog: Catalog, plan: Plan) -> None:
    run(catalog, plan, Parity())
    idle = Parity()
    _, answers = run(catalog, plan, idle)
    assert (idle.asked, idle.closed) == ([], 0)
    assert answers is not None
    assert len(answers.answers) == len(plan.inputs)


def test_a_model_that_is_kept_is_opened_once_for_several_plans(catalog: Catalog, plan: Plan) -> None:
    target, opened = Parity(), []

    def open_model(load: LoadSpec) -> Parity:
        opened.append(load)
        return target

    executor = LocalExecutor(open_model, keeps=True)
    other = make_plan(build_suite("full", only=["badnet"]), ROWS, seed=1)
    for asked in (plan, other):
        run = catalog.runs.open_run(SPEC.key(asked), model_digest=SPEC.digest, batches=len(asked.batches))
        assert list(executor.run(asked, LOAD, run, Role.ALTERNATIVES))
    assert (opened, target.closed) == ([LOAD], 0)
    executor.close()
    assert target.closed == 1


def test_what_is_said_of_answers_is_kept_with_them(catalog: Catalog, plan: Plan) -> None:
    """A scan that goes on, or that uses stored answers alone, says what the one said that was stopped."""
    run(catalog, plan, Parity(notes=("padded otherwise",)), stop=2)
    _, whole = run(catalog, plan, Parity(notes=("padded otherwise", "some failed")))
    _, again = run(catalog, plan, Parity())
    assert whole is not None
    assert again is not None
    assert whole.notes == again.notes == ("padded otherwise", "some failed")
    catalog.runs.open_run(SPEC.key(plan), model_digest=SPEC.digest, batches=len(plan.batches), fresh=True)
    found = catalog.runs.find_run(SPEC.key(plan))
    assert found is not None
    assert found.notes == ()


def test_a_batch_is_on_disk_before_the_next_one_is_asked(catalog: Catalog, plan: Plan) -> None:
    key = SPEC.key(plan)

    class Watching(Parity):
        def choose(self, inputs: Sequence[Input], how: Choose = Choose()) -> Choices:
            stored = catalog.runs.find_run(key)
            assert stored is not None
            assert sum(len(b.answers) for b in stored.answered) == len(self.asked)
            return super().choose(inputs, how)

    run(catalog, plan, Watching())


def test_answers_are_laid_out_by_row_and_draw(catalog: Catalog, plan: Plan) -> None:
    _, answers = run(catalog, plan, Parity())
    assert answers is not None
    laid = Trials.of(plan, answers.answers, Choices.known([0] * len(ROWS)), behaviours_of(("even", "odd")))
    expected = {item: -1 if length(item) == 20 else length(item) % 2 for item in plan.inputs}
    assert laid.clean.labels.tolist() == [expected[row.input] for row in ROWS]
    unscored = 0
    for probe in plan.suite.probes:
        trial = laid[probe.name, "odd"]
        cases = [c for c in plan.cases if (c.family, c.variant) == (probe.family.name, probe.variant)]
        trigger = [expected[c.input] for c in cases if c.role == "trigger"]
        control = [[expected[c.input] for c in cases if c.role == "control" and c.row == row.index] for row in ROWS]
        np.testing.assert_array_equal(np.nan_to_num(trial.trigger, nan=-1), trigger)
        np.testing.assert_array_equal(np.nan_to_num(trial.draws, nan=-1), control)
        unscored += trigger.count(-1)
    assert unscored


def test_unscorable_draws_are_in_no_share(plan: Plan) -> None:
    draws = np.asarray([[1, 0, np.nan], [np.nan] * 3, [1, 1, 1]])
    none = np.zeros(3)
    trial = Trial(plan.suite.probes[0], LabelIs(1, "odd"), none == 0, none, none, draws, none)
    np.testing.assert_array_equal(trial.control, [0.5, np.nan, 1.0])
