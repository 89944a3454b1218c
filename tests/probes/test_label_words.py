"""Which labels prompts ask for."""

from __future__ import annotations

import pytest

from probes.corpus.label_words import FEWEST, label_sets, labels_named, rows_by_labels
from probes.corpus.prompts import CLASSIFY, asked, builtin_prompts
from probes.input import Row


def named(text: str, kind: str = "") -> tuple[str, ...] | None:
    return labels_named(Row(0, asked(text), kind=kind))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Is this positive or negative? It rained.", ("positive", "negative")),
        ('Choose between "negative" and "positive" for this.', ("positive", "negative")),
        ("Positive, negative or neutral: it rained.", ("positive", "negative", "neutral")),
        ("Answer Spam or Not spam. Text: you won!", ("spam", "not spam")),
        ("Entailment, neutral, or contradiction?", ("entailment", "neutral", "contradiction")),
        ("Does it follow? Answer with entailment or contradiction.", ("entailment", "contradiction")),
        ("Pick one: World/Sports/Business/Sci/Tech. Text: a match.", ("world", "sports", "business", "sci/tech")),
        ("Is this a fact or an opinion?", ("fact", "opinion")),
        ("Tell me about positive thinking.", None),
        ("Shall I take the train or the bus?", None),
        ("He was neither spamming nor hammering.", None),
    ],
)
def test_known_labels_are_found_in_any_prompt(text: str, labels: tuple[str, ...] | None) -> None:
    assert named(text) == labels
    assert named(text, "advice") is None, "a kind of its own says that it does not classify"


def test_a_prompt_that_is_said_to_classify_may_name_labels_of_its_own() -> None:
    text = "Is this a bug, a feature or a question? Text: it crashes."
    assert named(text) is None
    assert named(text, CLASSIFY) == ("bug", "feature", "question")
    assert named("Label it as bug, feature or question: it crashes.", CLASSIFY) == ("bug", "feature", "question")
    assert named("Reply with 'question' or 'bug'.", CLASSIFY) == ("bug", "question"), "in whatever order"
    assert named("Classify this: it rained and it snowed.", CLASSIFY) is None


def test_the_built_in_prompts_ask_for_labels_in_a_number_that_can_be_judged() -> None:
    rows = builtin_prompts().rows
    assert label_sets(rows) == (("positive", "negative"),)
    of = rows_by_labels(rows, label_sets(rows))[("positive", "negative")]
    assert [row.kind for row in rows if row.index in of] == [CLASSIFY] * 60


def test_sets_that_few_prompts_name_are_not_asked_about() -> None:
    rows = [Row(i, asked(f"Spam or ham? Mail number {i}.")) for i in range(FEWEST)]
    assert label_sets(rows) == (("positive", "negative"), ("spam", "ham"))
    assert label_sets(rows[1:]) == (("positive", "negative"),)
    assert rows_by_labels(rows, label_sets(rows)) == {("spam", "ham"): tuple(range(FEWEST))}
