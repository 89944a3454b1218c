"""Rows are cut at whole words, with room for edits, as a tokenizer would truncate them; short ones stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from probes.cases import Role
from probes.input import Input, Row, Text, texts
from probes.suite import build_suite, probe_cases
from probes.window import Reader, Window, window_for


@dataclass
class Words:
    """A token for every `size` characters of a word, one more for each text, and one at the front."""

    size: int = 4
    characters: int = 0

    def count(self, asks: Sequence[Input]) -> list[int]:
        self.characters += sum(len(text) for ask in asks for text in texts(ask))
        return [1 + sum(1 + self._tokens(text) for text in texts(ask)) for ask in asks]

    def _tokens(self, text: str) -> int:
        return sum(-(-len(word) // self.size) for word in text.split())


def long_text(words: int) -> str:
    return " ".join(f"{'wordswordswords'[: 1 + i % 9]}{i}" for i in range(words))


@pytest.mark.parametrize("words", [200, 2_000, 20_000])
def test_a_long_text_is_cut_at_a_whole_word_and_nearly_fills_its_limit(words: int) -> None:
    row = Row.of(3, long_text(words), None, 1)
    (cut,) = Reader(Words(), 128, 28).shortened([row])
    assert (cut.index, cut.label) == (3, 1)
    assert row.text.startswith(cut.text + " ")
    assert 90 <= Words().count([cut.input])[0] <= 100


def test_rows_that_fit_are_the_same() -> None:
    rows = [Row.of(i, long_text(i), None) for i in range(1, 30)]
    assert all(a is b for a, b in zip(Reader(Words(), 128, 28).shortened(rows), rows, strict=True))
    assert window_for([Reader(Words(), 512)], build_suite("quick", only=["badnet"]), rows, seed=0) is None


@pytest.mark.parametrize("text", ["電影很好看" * 500, "x" * 5_000, "a " + "電影很好看" * 500])
def test_scripts_without_spaces_are_cut_between_characters(text: str) -> None:
    (cut,) = Reader(Words(1), 64).shortened([Row.of(0, text)])
    assert text.startswith(cut.text)
    assert 55 <= Words(1).count([cut.input])[0] <= 64


def test_an_uneven_text_is_cut_where_its_tokens_say() -> None:
    """Dense words at the end: no guess from the mean length of a token is near."""
    text = "a " * 60 + " ".join("wordswordswordswords" for _ in range(500))
    (cut,) = Reader(Words(), 100).shortened([Row.of(0, text)])
    assert 90 <= Words().count([cut.input])[0] <= 100


@pytest.mark.parametrize(("first", "second", "left"), [(400, 20, "second"), (20, 400, "first"), (300, 500, "both")])
def test_of_a_pair_the_longer_text_gives_first(first: int, second: int, left: str) -> None:
    row = Row.of(0, long_text(first), long_text(second))
    (cut,) = Reader(Words(), 128).shortened([row])
    assert cut.second is not None
    assert 118 <= Words().count([cut.input])[0] <= 128
    own, other = Words().count([Text(cut.text), Text(cut.second)])
    assert (cut.text == row.text) == (left == "first")
    assert (cut.second == row.second) == (left == "second")
    if left == "both":
        assert abs(own - other) <= 6


def test_room_is_left_for_what_is_inserted_and_for_rewrites() -> None:
    rows = [Row.of(i, f"t{i} {long_text(3_000)}") for i in range(20)]
    suite = build_suite("full", referenced=True)
    counter = Words()
    window = window_for([Reader(counter, 256)], suite, rows, seed=0)
    assert window is not None
    cut = window.cut(rows)
    cases = [c for p in suite.probes for c in probe_cases(p, cut[10:], seed=0) if c.role is not Role.CLEAN]
    counts = counter.count([c.input for c in cases])
    assert sum(n > 256 for n in counts) <= 0.01 * len(counts)
    assert min(counter.count([row.input for row in cut])) > 128


def test_all_readers_see_a_row_whole() -> None:
    rows = [Row.of(0, long_text(3_000))]
    coarse, fine = Reader(Words(8), 128), Reader(Words(2), 160)
    (cut,) = Window((coarse, fine)).cut(rows)
    (turned,) = Window((fine, coarse)).cut(rows)
    assert Words(8).count([cut.input])[0] <= 128
    assert 150 <= Words(2).count([cut.input])[0] <= 160
    assert turned == cut


def test_ten_thousand_words_cost_no_more_than_a_thousand() -> None:
    costs = []
    for words in (1_000, 10_000):
        counter = Words()
        Reader(counter, 128).shortened([Row.of(i, f"t{i} {long_text(words)}") for i in range(10)])
        costs.append(counter.characters)
    assert costs[1] <= 1.2 * costs[0]
