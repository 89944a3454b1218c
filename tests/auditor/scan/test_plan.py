from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from auditor.models.files.profile import read_profile
from auditor.models.runtime.spec import LoadSpec
from auditor.scan.execution.run import RunSpec
from auditor.scan.judgement.classification import behaviours_of
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import Plan, make_plan
from probes.answer import Choices
from probes.cases import Role
from probes.input import Choose, Generate, Pair, Row
from probes.suite import build_suite

ROWS = tuple(Row.of(i, f"a text called x{i} with {'long ' * (i % 7)}words", None, i % 2) for i in range(40))


def plan(
    rows: tuple[Row, ...] = ROWS, *, suite: str = "quick", seed: int = 0, characters: int = 4000, **of: Any
) -> Plan:
    of = {"only": ["badnet", "insertsent"], **of}
    return make_plan(build_suite(suite, **of), rows, seed=seed, characters=characters)


def test_batches_hold_every_input_once_in_order_of_length() -> None:
    made = plan()
    assert len(made.batches) > 5
    asked = [ask for number in range(len(made.batches)) for ask in made.batch(number)]
    assert tuple(asked) == made.inputs
    assert len(set(asked)) == len(asked)
    assert [len(a.text) for a in asked] == sorted(len(a.text) for a in asked)
    assert all(sum(len(a.text) + 1 for a in made.batch(n)) <= 4000 for n in range(len(made.batches)))


def test_every_case_finds_its_own_input() -> None:
    made = plan()
    assert len(made.position) == len(made.cases)
    assert all(made.inputs[place] == case.input for place, case in zip(made.position, made.cases, strict=True))


def test_an_input_longer_than_a_batch_has_one_of_its_own() -> None:
    made = plan((Row.of(0, "word " * 2000), Row.of(1, "short one")), characters=100)
    assert sorted(place for start, stop in made.batches for place in range(start, stop)) == list(
        range(len(made.inputs))
    )


def test_rows_that_are_not_probed_are_asked_as_they_are() -> None:
    suite = build_suite("quick", only=["badnet"])
    made = make_plan(suite, ROWS, seed=0, probed=10)
    alone = make_plan(suite, ROWS[:10], seed=0)
    assert [c.row for c in made.cases if c.role is Role.CLEAN] == [row.index for row in ROWS]
    probes = [[c for c in p.cases if c.role is not Role.CLEAN] for p in (made, alone)]
    assert probes[0] == probes[1]
    assert (made.probed, alone.probed) == (10, 10)
    count = len(made.inputs)
    answers = Choices(np.ones(count, dtype=np.int64), np.full((count, 2), 0.5))
    found = Trials.of(made, answers, Choices.known([1] * len(ROWS)), behaviours_of(("no", "yes")))
    assert len(found.clean) == len(ROWS)
    assert all(found[name, "no"].rows.tolist() == [True] * 10 + [False] * 30 for name in found.probes)


def test_the_same_request_is_the_same_plan() -> None:
    assert plan() == plan()


@pytest.mark.parametrize(
    "other",
    [
        lambda: plan(ROWS[1:]),
        lambda: plan(tuple(replace(r, label=1) for r in ROWS)),
        lambda: plan(tuple(replace(r, input=Pair(r.text, "second")) for r in ROWS)),
        lambda: plan(suite="full"),
        lambda: plan(only=["badnet"]),
        lambda: plan(overrides={"badnet": {"inserts": 2}}),
        lambda: plan(seed=1),
        lambda: plan(characters=3000),
    ],
    ids=["rows", "gold", "pair", "suite", "families", "options", "seed", "batches"],
)
def test_whatever_changes_the_question_changes_the_key(other: Callable[[], Plan]) -> None:
    assert other().key != plan().key


def test_rows_that_stand_elsewhere_in_their_file_are_asked_the_same() -> None:
    moved = plan(tuple(replace(r, index=r.index + 7) for r in ROWS))
    assert moved.key == plan().key
    assert moved.inputs == plan().inputs


def test_a_plan_travels_to_another_process() -> None:
    made = plan()
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301


def batches_of(load: LoadSpec) -> tuple[str, list[list[str]]]:
    made = plan()
    return RunSpec.of(load).key(made), [[ask.text for ask in made.batch(n)] for n in range(len(made.batches))]


def test_another_process_asks_the_same_batches_of_what_it_is_told_to_open(zoo: Any) -> None:
    load = LoadSpec(read_profile(zoo.benign), "cpu", "float32", 128)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(batches_of, load).result() == batches_of(load)
    assert pickle.loads(pickle.dumps(load)) == load  # noqa: S301


SPEC = RunSpec("d" * 64, "cpu", "float32", 128)


@pytest.mark.parametrize(
    "change", [{"digest": "e" * 64}, {"max_length": 64}, {"dtype": "bfloat16"}, {"device": "cuda:0"}]
)
def test_answers_belong_to_a_model_a_cut_a_format_and_a_kind_of_device(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).key(plan()) != SPEC.key(plan())


def test_texts_belong_to_how_they_are_written() -> None:
    made, asking = plan(), [Choose(), Generate(), Generate(tokens=8), Generate(temperature=0.7)]
    assert len({replace(SPEC, asking=how).key(made) for how in asking}) == len(asking)


def test_answers_do_not_belong_to_one_gpu() -> None:
    made = plan()
    assert replace(SPEC, device="cuda:1").key(made) == replace(SPEC, device="cuda:0").key(made)
