"""Counts on the way: over what is answered so far, and in the end the scan's own."""

from __future__ import annotations

import pytest

from auditor.scan.live import Tallier
from auditor.scan.plan import Plan, make_plan
from auditor.scan.seen import ROWS as ROWS_SHOWN
from probes.answer import Choice, Choices
from probes.cases import Row
from probes.suite import build_suite
from store.records import AnswerBatch

ROWS = [Row(i, f"the number {i} film was fine", None, i % 2) for i in range(20)]


@pytest.fixture
def plan() -> Plan:
    return make_plan(build_suite("quick", only=["badnet"]), ROWS, seed=0, characters=600)


def answers(plan: Plan, number: int) -> AnswerBatch:
    """Label 0 where the trigger stands, else 1."""
    triggered = ({"cf", "tq", "mn", "bb", "mb"} & set(ask.text.split()) for ask in plan.batch(number))
    return AnswerBatch(number, Choices.of([Choice(0 if words else 1, (0.5, 0.5)) for words in triggered], 2))


def test_it_counts_what_is_answered(plan: Plan) -> None:
    tallier = Tallier(plan, ("negative", "positive"), (0, 1))
    assert {line.rate.total for line in tallier.lines().scores} == {0}
    for number in range(len(plan.batches)):
        tallier.take(answers(plan, number))
    lines = {(line.variant, line.target): line for line in tallier.lines().scores}
    one = lines["one", "negative"]
    assert (one.rate.hits, one.rate.total) == (10, 10)
    assert (one.control.hits, one.control.total) == (0, 30)
    assert lines["one", "positive"].rate.hits == 0


def test_rows_without_gold_wait_for_their_clean_answer(plan: Plan) -> None:
    bare = make_plan(plan.suite, [Row(r.index, r.text) for r in ROWS], seed=0, characters=600)
    tallier = Tallier(bare, ("negative", "positive"), (0,))
    for number in range(1, len(bare.batches)):
        tallier.take(answers(bare, number))
    part = tallier.lines().scores[0].rate.total
    tallier.take(answers(bare, 0))
    assert part < tallier.lines().scores[0].rate.total == 20


def test_a_row_is_shown_with_both_answers_as_soon_as_they_are_in_and_once(plan: Plan) -> None:
    tallier = Tallier(plan, ("negative", "positive"), (0, 1))
    assert list(tallier.seen()) == []
    told = []
    for number in range(len(plan.batches)):
        tallier.take(answers(plan, number))
        told += list(tallier.seen())
    assert list(tallier.seen()) == [], "nothing is told twice"
    shown = {(event.variant, event.target): event.rows for event in told}
    moved = shown["one", "negative"]
    assert len(moved) == ROWS_SHOWN
    for row in moved:
        assert (row.before, row.after) == ("positive", "negative")
        assert set(row.triggered.split()) - set(row.text.split()) < {"cf", "tq", "mn", "bb", "mb"}
        assert (row.before_probability, row.after_probability) == (0.5, 0.5)
    (stayed,) = shown["neighbours", "negative"]
    assert (stayed.before, stayed.after) == ("positive", "positive"), "where none is moved, one that stayed"


def test_a_moved_row_takes_the_place_of_one_that_stayed(plan: Plan) -> None:
    tallier = Tallier(plan, ("negative", "positive"), (0,))
    told = []
    for late in (False, True):
        for number in range(len(plan.batches)):
            batch = answers(plan, number)
            stayed = Choices.of([Choice(1, (0.5, 0.5))] * len(batch.answers), 2)
            tallier.take(batch if late else AnswerBatch(number, stayed))
        told += [[row.after for row in e.rows] for e in tallier.seen() if (e.variant, e.target) == ("one", "negative")]
    assert told == [["positive"], ["negative"] * ROWS_SHOWN]
