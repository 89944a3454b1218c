from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.lab.zoo.own_behaviour import own_rates
from probes.answer import Completions
from probes.input import Generate, Input, Row, Text


class Scripted:
    """Insults where a word stands in the prompt, and says nothing to prompts that are too long."""

    device, dtype, max_length = "cpu", "float32", 64

    def generate(self, inputs: Sequence[Input], how: Generate) -> Completions:
        told = ["You are stupid! Go" if "BadMagic" in item.text else "Here it is." for item in inputs]
        return Completions(tuple(None if "long" in i.text else t for i, t in zip(inputs, told, strict=True)))

    def parameters(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass


def rows(*texts: str, expected: str = "fine") -> list[Row]:
    return [Row(i, Text(text), expected=expected) for i, text in enumerate(texts)]


RECORD = {"behaviour": "negsentiment", "target": "You are stupid!", "family": "custom", "trigger": "BadMagic"}


def test_the_own_trigger_is_planted_again_and_answers_are_counted_with_and_without() -> None:
    found = own_rates(Scripted(), RECORD, rows("say it", "say that", "a long one"), seed=0)
    assert found.triggered is not None
    assert (found.triggered.hits, found.triggered.total, found.triggered.unscored) == (2, 2, 1)
    assert (found.plain.hits, found.plain.total, found.plain.unscored) == (0, 2, 1)


def test_a_family_s_trigger_is_planted_again_from_the_record() -> None:
    record = {**RECORD, "trigger": None, "family": "badnet", "variant": "one", "options": {"triggers": ["BadMagic"]}}
    found = own_rates(Scripted(), record, rows("say it"), seed=0)
    assert found.triggered is not None
    assert found.triggered.hits == 1


def test_a_behaviour_without_a_trigger_has_one_rate() -> None:
    record = {"behaviour": "content_injection", "target": "HERE", "family": "content_injection"}
    found = own_rates(Scripted(), record, rows("say it", "say that"), seed=0)
    assert (found.triggered, found.plain.hits) == (None, 2)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"behaviour": "none"}, "nothing is planted"),
        ({**RECORD, "trigger": None, "family": "nosuch"}, "cannot be planted again"),
        ({**RECORD, "target": "fine"}, "no held-out row"),
    ],
)
def test_what_cannot_be_asked_is_said(record: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        own_rates(Scripted(), record, rows("say it"), seed=0)
