"""Which columns of a file hold the text, the second text and the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probes.corpus.readers import CorpusError

TEXTS = (
    "text",
    "sentence",
    "sentence1",
    "question",
    "content",
    "review",
    "tweet",
    "comment",
    "message",
    "document",
    "body",
    "premise",
    "prompt",
    "headline",
    "title",
)
PAIRS = (
    ("question", "sentence"),
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text", "text_pair"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("sentence_a", "sentence_b"),
)
LABELS = ("label", "labels", "class", "target", "category")
LIKELY = (
    "sentiment",
    "gold_label",
    "gold",
    "polarity",
    "emotion",
    "topic",
    "intent",
    "stance",
    "rating",
    "stars",
    "label_text",
    "label_name",
    "class_name",
)
"""Columns that hold labels in many files, and something else in others: read as labels only where the values say so."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The chosen columns, as the file spells them, and what was decided without being asked."""

    text: str
    pair: str | None
    label: str | None
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    unasked: bool = False
    """Whether no column of labels was found, and the user said nothing of one."""

    @property
    def uses(self) -> dict[str, str]:
        """By use, the column that serves it."""
        return {use: c for use, c in (("text", self.text), ("pair", self.pair), ("label", self.label)) if c is not None}


def choose(
    source: str, columns: Sequence[str], *, text: str | None = None, pair: str | None = None, label: str | None = None
) -> Columns:
    """The columns that were named, and for those that were not, the usual names.

    A second text is taken without being named only where the text is not named either, the file has one usual pair of
    columns, and no column `text` outside of it. An empty `label` means none.

    Raises:
        CorpusError: a named column is not there or not once, or no column is known to hold texts.
    """
    notes: list[str] = []
    label_at = None
    if label is None:
        label_at = usual(columns, LABELS)
    elif label:
        label_at = named(source, columns, label, "--label-column")
    pair_at = named(source, columns, pair, "--pair-column") if pair else None
    if text:
        text_at = named(source, columns, text, "--text-column")
    else:
        text_at, pair_at = usual_texts(source, columns, pair_at)
        words = f"texts from column {text_at!r}" + (f", second texts from {pair_at!r}" if pair_at else "")
        notes.append(words + (f", labels from {label_at!r}" if label_at else ""))
    taken = [column for column in (text_at, pair_at, label_at) if column]
    for column in taken:
        if taken.count(column) > 1:
            raise CorpusError(f"{source}: column {column!r} cannot serve twice", hint="Name a column for each use.")
        if columns.count(column) > 1:
            raise CorpusError(f"{source} has {columns.count(column)} columns named {column!r}", hint="Rename one.")
    unused = tuple(column for column in dict.fromkeys(columns) if column not in taken)
    return Columns(text_at, pair_at, label_at, tuple(notes), unused, label is None and label_at is None)


def usual_texts(source: str, columns: Sequence[str], pair: str | None) -> tuple[str, str | None]:
    usual_pairs = [
        (first, second)
        for one, other in PAIRS
        if (first := usual(columns, [one])) and (second := usual(columns, [other])) and pair in (None, second)
    ]
    bare = usual(columns, ["text"])
    for found in usual_pairs:
        if found[0] == bare or (bare is None and len(usual_pairs) == 1):
            return found
    alone = usual([c for c in columns if c != pair], TEXTS)
    if alone is None:
        raise CorpusError(
            f"{source}: no column is known to hold the texts; columns: {listed(columns)}",
            hint="Name it with --text-column; the first line of a csv or tsv file names the columns.",
        )
    return alone, pair


def named(source: str, columns: Sequence[str], wanted: str, option: str) -> str:
    if wanted in columns:
        return wanted
    alike = [c for c in columns if c.casefold() == wanted.strip().casefold()]
    if len(alike) != 1:
        raise CorpusError(
            f"{source} has no column {wanted!r}; columns: {listed(columns)}", hint=f"Give one of them to {option}."
        )
    return alike[0]


def usual(columns: Sequence[str], names: Iterable[str]) -> str | None:
    by_name = {column.casefold(): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def listed(columns: Sequence[str], most: int = 20) -> str:
    shown = [repr(c if len(c) <= 40 else c[:39] + "…") for c in columns[:most]]
    return ", ".join(shown) + (f", … ({len(columns)} in all)" if len(columns) > most else "")
