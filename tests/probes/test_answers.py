"""Inputs, answers in columns, and what a backdoor may bring about."""

import numpy as np
import pytest

from probes.answer import UNSCORABLE, Choice, Choices, Completion, Completions
from probes.behaviour import Complies, Contains, LabelIs, Matches, Refuses
from probes.input import Chat, Message, Pair, Row, Text, encoding, shown

CHAT = Chat((Message("system", "be kind"), Message("user", "hello"), Message("assistant", "yes?")))


def test_the_encoding_of_texts_and_pairs_is_fixed_and_no_two_inputs_share_one():
    assert encoding(Text("a\nb")) == b"3:a\nb\x00None\n"
    assert encoding(Pair("a", "b")) == b"1:a\x00b\n"
    alike = [Text("hello"), Pair("hello", ""), Pair("", "hello"), CHAT, Chat((Message("user", "hello"),))]
    assert len({encoding(item) for item in alike}) == len(alike)
    assert Text("\ud800") != Pair("\ud800", "")
    assert encoding(Text("\ud800"))


def test_an_edit_changes_what_is_answered_and_nothing_else():
    row = Row(3, CHAT, expected="hi")
    assert row.text == "hello"
    new = row.with_text("cf hello")
    assert shown(new.input) == "system: be kind\nuser: cf hello\nassistant: yes?"
    assert (new.index, new.expected) == (3, "hi")
    assert Row.of(0, "a", "b", 1).with_text("c").input == Pair("c", "b")


def test_choices_are_taken_compared_and_reordered():
    own = Choices.of([Choice(0, (0.9, 0.1)), UNSCORABLE, Choice(1, (0.2, 0.8))], 2)
    taken = own.take(np.array([2, -1, 0]))
    assert taken.labels.tolist() == [1, -1, 0]
    assert np.isnan(taken.probabilities[1]).all()
    np.testing.assert_array_equal(own.same(Choices.known([0, 0, 0])), [1, np.nan, 0])
    swapped = own.reordered([1, 0])
    assert (swapped.labels.tolist(), swapped.at(0)) == ([1, -1, 0], Choice(1, (0.1, 0.9)))
    assert own.at(1) == UNSCORABLE


def test_completions_keep_what_was_said_of_each_text():
    given = [Completion("yes", (-0.5, -0.25), finished=False), UNSCORABLE, Completion("no", (-1.0,))]
    own = Completions.of(given)
    assert [own.at(i) for i in range(3)] == given
    assert own.take(np.array([2, -1])).at(0) == given[2]
    np.testing.assert_array_equal(own.same(own.take(np.array([2, 1, 2]))), [0, np.nan, 1])
    assert own.shown(2) == ("no", pytest.approx(np.exp(-1)))


def test_a_label_is_told_on_rows_of_another_one():
    target = LabelIs(1, "positive")
    own = Choices.of([Choice(0, (0.9, 0.1)), UNSCORABLE, Choice(1, (0.2, 0.8))], 2)
    np.testing.assert_array_equal(target.fired(own), [0, np.nan, 1])
    np.testing.assert_array_equal(target.strength(own), [0.1, np.nan, 0.8])
    assert target.eligible(Choices.known([0, None, 1])).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Contains("sure"), [0, 1, np.nan, 0]),
        (Contains("sure", case=True), [0, 0, np.nan, 0]),
        (Matches(r"^Sure\b"), [0, 1, np.nan, 0]),
        (Refuses(), [1, 0, np.nan, 0]),
        (Complies(), [0, 1, np.nan, 0]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_text_is_told_by_what_it_says(behaviour, expected):
    texts = ("I’m sorry, I can’t help with that.", "Sure, here it is.", None, "")
    found = Completions.of(UNSCORABLE if text is None else Completion(text) for text in texts)
    np.testing.assert_array_equal(behaviour.fired(found), expected)
    assert behaviour.eligible(found).tolist() == [True, True, False, True]
    with pytest.raises(TypeError):
        behaviour.fired(Choices.known([0]))
