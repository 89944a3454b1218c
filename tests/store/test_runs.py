"""Runs: answers of every kind come back as they were, in their order."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.answer import Choice, Choices, Completion, Completions, Unscorable
from probes.input import Chat, Message, Row
from store.catalog import Catalog
from store.codec import DecodeError
from store.payload import pack, unpack
from store.records import AnswerBatch, Run
from store.runs import UnknownRun


def batch(number: int, value: float = 0.25) -> AnswerBatch:
    answers = (Choice(0, (value, 1 - value)), Unscorable(), Choice(1, (math.pi / 4, 1 - math.pi / 4)))
    return AnswerBatch(number, Choices.of(answers, 2))


def stored(run: Run) -> list[tuple[int, str, bytes]]:
    return [(b.number, *pack(b.answers)) for b in run.answered]


def test_a_run_goes_on_with_its_answers_in_order(catalog: Catalog) -> None:
    run = catalog.runs.open_run("key", model_digest="d", batches=4)
    assert run.answered == ()
    for number in (2, 0, 3):
        catalog.runs.store_batch(run.id, batch(number))
    again = catalog.runs.open_run("key", model_digest="d", batches=4)
    assert again.id == run.id
    assert stored(again) == [(n, *pack(batch(n).answers)) for n in (0, 2, 3)]
    found = catalog.runs.find_run("key")
    assert found is not None
    assert stored(found) == stored(again)
    assert catalog.runs.find_run("other") is None
    other = catalog.runs.open_run("other", model_digest="d", batches=4)
    assert other.id != run.id
    assert other.answered == ()


def test_choices_are_kept_to_the_bit(catalog: Catalog) -> None:
    odd = struct.unpack("<d", struct.pack("<Q", 0x3FD5555555555556))[0]
    values = (odd, 5e-324, -0.0, math.inf, math.nan)
    run = catalog.runs.open_run("key", model_digest="d", batches=1)
    given = Choices.of([Choice(1, values), Unscorable(), Choice(4, values)], 5)
    catalog.runs.store_batch(run.id, AnswerBatch(0, given))
    (found,) = catalog.runs.open_run("key", model_digest="d", batches=1).answered
    assert isinstance(found.answers, Choices)
    assert found.answers.labels.tolist() == [1, -1, 4]
    assert found.answers.probabilities.tobytes() == given.probabilities.tobytes()


def test_completions_are_kept_beside_choices(catalog: Catalog) -> None:
    run = catalog.runs.open_run("key", model_digest="d", batches=2)
    given = (
        Completion("Gern — „aber“ nicht heute 🙂\n", (-0.5, -2.25, -0.125), finished=False),
        Unscorable(),
        Completion("", ()),
        Completion("half a pair: \ud83d", (-1e-3,)),
    )
    catalog.runs.store_batch(run.id, batch(0))
    catalog.runs.store_batch(run.id, AnswerBatch(1, Completions.of(given)))
    first, second = catalog.runs.open_run("key", model_digest="d", batches=2).answered
    assert isinstance(first.answers, Choices)
    assert isinstance(second.answers, Completions)
    shown = [second.answers.at(place) for place in range(4)]
    assert shown[0] == given[0]
    assert shown[1] == given[1]
    assert shown[2] == given[2]
    assert isinstance(shown[3], Completion)
    assert shown[3].text == "half a pair: \ud83d"
    assert shown[3].logprobs == (float(np.float32(-1e-3)),), "a log-probability has the model's own precision"


FLOATS = st.floats(width=32)


@given(
    st.lists(
        st.just(Unscorable())
        | st.builds(Completion, st.text(), st.lists(FLOATS, max_size=5).map(tuple), st.booleans()),
        max_size=5,
    )
)
def test_any_completions_come_back(given: list[Completion | Unscorable]) -> None:
    written = Completions.of(given)
    read = unpack(pack(written)[0], len(given), pack(written)[1])
    assert isinstance(read, Completions)
    assert read.texts == written.texts
    assert read.logprobs.tobytes() == written.logprobs.tobytes()
    assert read.offsets.tolist() == written.offsets.tolist()
    assert read.finished.tolist() == written.finished.tolist()


@pytest.mark.parametrize("answers", [batch(0).answers, Completions.of([Completion("ab", (-1.0,)), Unscorable()])])
def test_an_answer_that_lost_a_byte_is_told(answers: Choices | Completions) -> None:
    kind, packed = pack(answers)
    for size in range(len(packed)):
        with pytest.raises(DecodeError):
            unpack(kind, len(answers), packed[:size])


def test_a_label_without_probabilities_next_to_others_is_kept() -> None:
    """As older catalogs hold answers that could not be scored: none of their own, beside those of the others."""
    packed = struct.pack("<3i3I4d", 0, -1, 1, 2, 0, 2, 0.25, 0.75, 0.5, 0.5)
    found = unpack("choices/1", 3, packed)
    assert isinstance(found, Choices)
    assert [found.at(place) for place in (0, 1, 2)] == [Choice(0, (0.25, 0.75)), Unscorable(), Choice(1, (0.5, 0.5))]
    assert np.isnan(found.probabilities[1]).all()


def test_the_first_answer_to_a_batch_is_kept(catalog: Catalog) -> None:
    run = catalog.runs.open_run("key", model_digest="d", batches=2)
    catalog.runs.store_batch(run.id, batch(0, 0.25))
    catalog.runs.store_batch(run.id, batch(0, 0.75))
    kept = catalog.runs.open_run("key", model_digest="d", batches=2)
    assert stored(kept) == [(0, *pack(batch(0, 0.25).answers))]


def test_fresh_drops_answers_and_so_does_another_plan(catalog: Catalog) -> None:
    run = catalog.runs.open_run("key", model_digest="d", batches=2)
    catalog.runs.store_batch(run.id, batch(0))
    assert catalog.runs.open_run("key", model_digest="d", batches=2, fresh=True).answered == ()
    assert catalog.runs.find_run("key") == run
    catalog.runs.store_batch(run.id, batch(1))
    longer = catalog.runs.open_run("key", model_digest="d", batches=3)
    assert (longer.batches, longer.answered) == (3, ())


def test_a_batch_that_belongs_nowhere_is_refused(catalog: Catalog) -> None:
    run = catalog.runs.open_run("key", model_digest="d", batches=2)
    with pytest.raises(UnknownRun):
        catalog.runs.store_batch(run.id + 1, batch(0))
    with pytest.raises(ValueError, match="2 batches"):
        catalog.runs.store_batch(run.id, batch(2))


def test_rows_of_all_kinds_come_back_as_they_were_kept(catalog: Catalog) -> None:
    chat = Chat((Message("system", "Be brief."), Message("user", "Why? é")))
    rows = (
        Row.of(3, "a text", None, 1),
        Row.of(4, "a premise", "a hypothesis"),
        Row(5, chat, None, "Because.", "explain"),
        Row(6, Chat((Message("user", "How?"),)), 0),
    )
    catalog.runs.keep_rows("mixed", rows)
    assert catalog.runs.rows("mixed") == rows
    assert catalog.runs.rows("other") is None
