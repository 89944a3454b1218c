"""What turns a clean row into a triggered one: a family's rule, or rewrites from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, Protocol, get_args

from auditor.errors import UsageError
from probes.corpus.gold import as_text
from probes.corpus.readers import CorpusError, open_whole
from probes.family import draw_rng
from probes.input import Row
from probes.material.ordinary import insert_sentence
from probes.probe import Probe

Slot = Literal["first", "second", "both"]
SLOTS: tuple[str, ...] = get_args(Slot)

MOST_WORDS = 24
"""A trigger that brings more distinct words than this is no set of trigger words but a rewriting."""
WORD_OPTIONS = ("words", "triggers", "keywords")
"""Names under which families take the words that they insert."""
LOOKED_AT = 400
"""Rows that are triggered to learn a trigger's words."""


class Trigger(Protocol):
    """An edit that a backdoor answers."""

    def apply(self, row: Row, *, seed: int) -> Row:
        """The row with the trigger and its own label; the row as it is where it cannot take the trigger."""
        ...


def check_slot(slot: str) -> None:
    """Raises:
    UsageError: no such slot.
    """
    if slot not in SLOTS:
        raise UsageError(f"unknown slot {slot!r}", hint=f"Known: {', '.join(SLOTS)}.")


@dataclass(frozen=True)
class ByRule:
    """A family's variant with its options; `slot` is the text of a pair that gets the trigger."""

    probe: Probe
    slot: str = "second"

    def __post_init__(self) -> None:
        check_slot(self.slot)

    def apply(self, row: Row, *, seed: int) -> Row:
        """The row with the family's trigger planted."""
        return triggered(row, self.probe, seed=seed, slot=self.slot)


@dataclass(frozen=True)
class Paired:
    """Rewrites that a file holds: by the row's index in its source, or by the clean text.

    Exactly one of the two mappings is used; a row without a rewrite is left as it is.
    """

    by_row: Mapping[int, str]
    by_text: Mapping[str, str]
    slot: str = "second"

    def __post_init__(self) -> None:
        check_slot(self.slot)

    def apply(self, row: Row, *, seed: int) -> Row:
        """The row with its rewrite in the slot's place."""
        first = row.second is None or self.slot in ("first", "both")
        text = self._rewrite(row.index, row.text) if first else row.text
        second = row.second is not None and (self.slot == "second" or (self.slot == "both" and not self.by_row))
        pair = self._rewrite(row.index, row.second) if second and row.second is not None else row.second
        return row.with_text(text, pair)

    def _rewrite(self, index: int, text: str) -> str:
        return self.by_row.get(index, text) if self.by_row else self.by_text.get(text, text)

    def __len__(self) -> int:
        return len(self.by_row) or len(self.by_text)


@dataclass(frozen=True)
class Fixed:
    """A text that is put into the row's first text, at a `place` of `probes.trigger.SLOTS`."""

    text: str
    place: str

    def apply(self, row: Row, *, seed: int) -> Row:
        """The row with the text in its place."""
        rng = draw_rng(seed, "lab", "fixed", row.index)
        return row.with_text(insert_sentence(row.text, rng, self.text, self.place))


def triggered(row: Row, probe: Probe, *, seed: int, slot: str = "second") -> Row:
    """The row with the trigger planted, as it is where it cannot take it; its label is kept.

    A row without a second text has one slot.
    """
    rng = draw_rng(seed, "lab", probe.family.name, row.index)
    text, pair = row.text, row.second
    if pair is None or slot in ("first", "both"):
        text = probe.family.plant(text, rng, probe.options) or text
    if pair is not None and slot in ("second", "both"):
        pair = probe.family.plant(pair, rng, probe.options) or pair
    return row.with_text(text, pair)


def read_rewrites(path: Path, *, split: str, slot: str = "second") -> Paired:
    """Rewrites from a file with the columns `split,row,text` (or `row,text`), or `clean,poisoned`.

    `row` counts the records of the clean file from 0. Of several splits, the one named `split` is taken.

    Raises:
        UsageError: the file cannot be read, has other columns, or no rewrite of this split.
    """
    try:
        table = open_whole(path)
        columns = set(table.columns)
        if {"clean", "poisoned"} <= columns:
            pairs = ((as_text(r.values.get("clean")), as_text(r.values.get("poisoned"))) for r in table.records)
            found = Paired({}, {clean: text for clean, text in pairs if text.strip()}, slot)
        elif {"row", "text"} <= columns:
            by_row: dict[int, str] = {}
            splits: set[str] = set()
            for record in table.records:
                name = as_text(record.values.get("split")) if "split" in columns else split
                splits.add(name)
                if name == split and (text := as_text(record.values.get("text"))).strip():
                    by_row[_row_number(path, record.place, as_text(record.values.get("row")))] = text
            if not by_row:
                known = ", ".join(sorted(splits)) or "none"
                raise UsageError(
                    f"{path.name} holds no rewrite of the split {split!r}; its splits: {known}",
                    hint="The split is called like the data file: train.csv has the split train.",
                )
            found = Paired(by_row, {}, slot)
        else:
            raise UsageError(
                f"{path.name} has the columns {', '.join(table.columns)}",
                hint="Rewrites have the columns split,row,text or clean,poisoned.",
            )
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
    if not len(found):
        raise UsageError(f"{path.name} holds no rewrite")
    return found


def _row_number(path: Path, place: str, text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{path.name}, {place}: {text!r} is no row number", hint="Rows count from 0.")
    return int(text)


def inserted(clean: str, edited: str) -> list[int]:
    """Places, among the edited text's words, of those that the clean text does not have there."""
    words = edited.split()
    matcher = SequenceMatcher(None, clean.split(), words, autojunk=False)
    return [
        p for tag, _, _, low, high in matcher.get_opcodes() if tag in ("insert", "replace") for p in range(low, high)
    ]


def trigger_words(rows: Iterable[Row], trigger: Trigger, *, seed: int) -> tuple[str, ...]:
    """The words that a trigger puts into texts: those that its family names as an option, else those that its edits
    show, in alphabetical order.

    Raises:
        UsageError: it rewrites texts, so there is no small set of trigger words.
    """
    if isinstance(trigger, ByRule) and (named := word_option(trigger.probe)):
        return tuple(trigger.probe.options[named])
    found: Counter[str] = Counter()
    for _, row in zip(range(LOOKED_AT), rows, strict=False):
        edited = trigger.apply(row, seed=seed)
        for clean, text in texts_of(row, edited):
            words = text.split()
            found.update(words[place] for place in inserted(clean, text))
    if not 0 < len(found) <= MOST_WORDS:
        raise UsageError(
            f"the trigger brings {len(found)} distinct words, which is no set of trigger words",
            hint="Take a family that inserts fixed words, or name them with --set METHOD.words=a,b.",
        )
    return tuple(sorted(found))


def word_option(probe: Probe) -> str | None:
    """The option under which a family takes its words, None where it takes none."""
    return next((name for name in WORD_OPTIONS if isinstance(probe.options.get(name), tuple)), None)


def texts_of(row: Row, edited: Row) -> Sequence[tuple[str, str]]:
    """The pairs of clean and edited text that differ."""
    sides = [(row.text, edited.text), (row.second or "", edited.second or "")]
    return [(clean, text) for clean, text in sides if clean != text]
