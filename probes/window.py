"""Cuts rows to what a model sees of them, before they are edited: a trigger behind the end is no trigger.

A cut is made at whole words, and leaves room for what the edits insert, so that a row as it is, with the trigger and
with each control holds the same text. Rows that fit anyway stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from probes.cases import Role
from probes.input import Input, Row, Text
from probes.suite import Suite, probe_cases

MEASURED = 4
"""Long rows on which it is measured how much the edits insert."""
SPARE = 1.25
"""How much more room is left than the most that was measured: other rows may take more."""
STEP = 8
"""Room is a multiple of so many tokens, so that it hardly hangs on which rows were measured."""
UNMEASURED = 8
"""The share of a window (one in so many) that is left as room where no row was long enough to measure it."""
CHARACTERS = 6
"""Characters a token at first guess, so that ten thousand words are not tokenised for the sake of four hundred."""
WORD = 100
"""Characters of the longest word that is kept whole; scripts without spaces are cut between characters."""
CLOSE = 0.95
"""A cut that leaves so much of what fits is close enough."""
ROUNDS = 6
"""Cuts that are tried for a better one once one fits."""

SPECIAL = 8
"""Special tokens of an input at most."""

_SPACE = re.compile(r"\s")


class Counter(Protocol):
    """What counts tokens."""

    def count(self, asks: Sequence[Input]) -> list[int]:
        """Tokens of each input, special ones included."""
        ...


@dataclass(frozen=True)
class Reader:
    """What a model takes of an input: so many `tokens`, of which `room` are left to what edits insert."""

    counter: Counter
    tokens: int
    room: int = 0

    @property
    def limit(self) -> int:
        """Tokens that a row may have before it is edited."""
        return self.tokens - self.room

    def shortened(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows, those that are longer than the limit cut to it."""
        found = list(rows)
        long = self.longer_than(self.limit, rows)
        cut = self._cut([(part, tokens - self.limit) for _, part, tokens in long])
        for (place, _, _), row in zip(long, cut, strict=True):
            found[place] = row
        return tuple(found)

    def longer_than(self, limit: int, rows: Sequence[Row]) -> list[tuple[int, Row, int]]:
        """The places of the rows that have more tokens, in order, with so much of each that it still has more, and how
        many that are.
        """
        # No tokenizer makes more tokens of a text than it has bytes.
        pending = [i for i, row in enumerate(rows) if _bytes(row.text) + _bytes(row.second or "") + SPECIAL > limit]
        size, found = CHARACTERS * self.tokens, []
        while pending:
            parts = [_beginning(rows[i], size) for i in pending]
            counts = self.counter.count([part.input for part in parts])
            again = []
            for place, part, tokens in zip(pending, parts, counts, strict=True):
                if tokens > limit:
                    found.append((place, part, tokens))
                elif part is not rows[place]:
                    again.append(place)
            pending, size = again, 2 * size
        return sorted(found, key=lambda row: row[0])

    def _cut(self, rows: Sequence[tuple[Row, int]]) -> list[Row]:
        """Rows that have so many tokens too many, without them; of a pair the longer text gives first."""
        texts = [Text(text) for row, _ in rows for text in _texts(row)]
        counts = iter(self.counter.count(texts))
        wanted = []
        for row, excess in rows:
            own = [next(counts) for _ in _texts(row)]
            kept = [own[0] - excess] if len(own) == 1 else _longest_first(own[0], own[1], excess)
            wanted += list(zip(_texts(row), own, kept, strict=True))
        cut = iter(_cut_texts(wanted, self.counter))
        return [row.with_text(next(cut), None if row.second is None else next(cut)) for row, _ in rows]


@dataclass(frozen=True)
class Window:
    """What all the models of a scan see of an input."""

    readers: tuple[Reader, ...]

    @property
    def limit(self) -> int:
        """Tokens at which rows are cut, by the tokenizer of the model that takes the fewest."""
        return min(reader.limit for reader in self.readers)

    def cut(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows as all the models can see them; those that fit are the same."""
        found = tuple(rows)
        for reader in self.readers:
            found = reader.shortened(found)
        return found


def window_for(readers: Sequence[Reader], suite: Suite, rows: Sequence[Row], *, seed: int) -> Window | None:
    """The window of the models, with room for what the suite's edits insert into the rows.

    None where all rows are so short (no more than half of every window) that nothing has to be cut.
    """
    places = {place for reader in readers for place, _, _ in reader.longer_than(reader.tokens // 2, rows)}
    long = [rows[place] for place in sorted(places)[:MEASURED]]
    if not long:
        return None
    # Cut as far as they will be about, so that what rewrites add is measured on as much text.
    for reader in readers:
        long = list(replace(reader, room=reader.tokens // 4).shortened(long))
    edited = [
        (row, case.input)
        for probe in suite.probes
        for row in long
        for case in probe_cases(probe, [row], seed=seed, draws=suite.draws)
        if case.role is not Role.CLEAN
    ]
    return Window(tuple(replace(reader, room=_room(reader, long, edited)) for reader in readers))


def unmeasured(readers: Sequence[Reader]) -> Window:
    """The window where no row was long enough to measure what edits insert."""
    return Window(tuple(replace(reader, room=reader.tokens // UNMEASURED) for reader in readers))


def _room(reader: Reader, rows: Sequence[Row], edited: Sequence[tuple[Row, Input]]) -> int:
    """Tokens that edits insert at most, and some more; never more than half of what the model takes."""
    before = dict(zip((row.index for row in rows), reader.counter.count([row.input for row in rows]), strict=True))
    after = reader.counter.count([ask for _, ask in edited])
    most = max((n - before[row.index] for (row, _), n in zip(edited, after, strict=True)), default=0)
    return min(-(-int(SPARE * most + 1) // STEP) * STEP, reader.tokens // 2)


def _texts(row: Row) -> tuple[str, ...]:
    return (row.text,) if row.second is None else (row.text, row.second)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _beginning(row: Row, size: int) -> Row:
    """A row with so many characters of each text, at whole words; the row itself where it has no more."""
    if all(len(text) <= size for text in _texts(row)):
        return row
    text, *pair = (text if len(text) <= size else text[: _word_end(text, size, 0) or size] for text in _texts(row))
    return row.with_text(text, *pair)


def _word_end(text: str, guess: int, least: int) -> int:
    """The last end of a word at or before `guess`, behind `least` and not far from it; 0 where there is none."""
    return next((end for end in range(guess, max(least, guess - WORD), -1) if _SPACE.match(text, end)), 0)


def _longest_first(first: int, second: int, excess: int) -> tuple[int, int]:
    """Tokens that are left of two texts when the longer one gives until both are equal, as tokenizers truncate."""
    longer, shorter = max(first, second), min(first, second)
    even = max(0, excess - (longer - shorter))
    longer, shorter = longer - (excess - even // 2), shorter - even // 2
    return (longer, shorter) if first > second else (shorter, longer)


def _cut_texts(wanted: Sequence[tuple[str, int, int]], counter: Counter) -> list[str]:
    """Texts of (text, its tokens, tokens that it may have), cut to these at whole words.

    All are cut in rounds, so that each round is one call of the tokenizer.
    """
    states = [_Cutting(text, most, len(text), tokens) for text, tokens, most in wanted]
    while tried := [(state, end) for state in states if state.is_open and (end := state.next_end())]:
        counts = counter.count([Text(state.text[:end]) for state, end in tried])
        for (state, end), tokens in zip(tried, counts, strict=True):
            state.learn(end, tokens)
    return [s.result for s in states]


@dataclass
class _Cutting:
    """A text that is being cut to at most `most` tokens: so many characters fit, so many are too many."""

    text: str
    most: int
    over: int
    over_tokens: int
    fits: int = 0
    fits_tokens: int = 0
    rounds: int = 0

    def __post_init__(self) -> None:
        if self.over_tokens <= self.most:
            self.fits, self.fits_tokens = self.over, self.over_tokens

    @property
    def is_open(self) -> bool:
        """Whether another cut is worth trying."""
        if self.over - self.fits <= 1:
            return False
        return not self.fits or (self.rounds < ROUNDS and self.fits_tokens < CLOSE * self.most)

    @property
    def result(self) -> str:
        """The text as it is cut; where not even a character fits, that one."""
        return self.text if self.fits == len(self.text) else self.text[: self.fits].rstrip() or self.text[:1]

    def next_end(self) -> int:
        """Where to cut next: as far as the tokens between the two known ends suggest, at the end of a word; 0 where no
        other word ends between them.
        """
        share = (self.most - self.fits_tokens) / max(1, self.over_tokens - self.fits_tokens)
        share = share if self.rounds < ROUNDS // 2 and share > 0 else 0.5
        guess = min(max(self.fits + int((self.over - self.fits) * share), self.fits + 1), self.over - 1)
        if end := _word_end(self.text, guess, self.fits):
            return end
        if ahead := _SPACE.search(self.text, guess, min(self.over, guess + WORD)):
            return ahead.start()
        # A stretch without spaces is one word, unless it is longer than words are, or nothing is left without it.
        return 0 if self.fits and self.over - self.fits <= WORD else guess

    def learn(self, end: int, tokens: int) -> None:
        """Notes how many tokens a cut left."""
        self.rounds += 1
        if tokens <= self.most:
            self.fits, self.fits_tokens = end, tokens
        else:
            self.over, self.over_tokens = end, tokens
