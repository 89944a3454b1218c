"""Texts to probe a model with: the user's own files, or the corpora written for this project."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from probes.case import Row
from probes.columns import Columns, choose
from probes.gold import HIDDEN, Given, are_unnamed, as_text, match
from probes.readers import CorpusError, Record, kind, open_table
from probes.sampling import digest, distinct, sample

__all__ = ["BUILTIN", "Corpus", "CorpusError", "builtin", "builtin_for", "digest", "read_corpus", "sample"]

BUILTIN = ("sentiment", "news", "general")
"""Names of the built-in corpora."""

SENTIMENT: Mapping[str, str] = {
    **dict.fromkeys(("neg", "negative"), "negative"),
    **dict.fromkeys(("neu", "neutral"), "neutral"),
    **dict.fromkeys(("pos", "positive"), "positive"),
}
NEWS: Mapping[str, str] = {
    "world": "World",
    "sport": "Sports",
    "sports": "Sports",
    "business": "Business",
    **dict.fromkeys(("scitech", "sciencetech", "sciencetechnology", "scienceandtechnology"), "Sci/Tech"),
    **dict.fromkeys(("science", "technology", "tech"), "Sci/Tech"),
}

REPLACEMENT = "\ufffd"
UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that tokenizers and databases refuse or drop without a word: NUL and lone surrogates."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows to probe with.

    A row's `label` is an index into the model's labels, its `index` the record's place in the source, from 0.
    `label_names` are the model's labels where the rows are labelled, None where they are not; `skipped` counts records
    without a text; `notes` say what was decided in reading.
    """

    source: str
    rows: tuple[Row, ...]
    label_names: tuple[str, ...] | None
    skipped: int
    notes: tuple[str, ...]


def read_corpus(
    path: Path,
    *,
    labels: Sequence[str],
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
) -> Corpus:
    """Reads texts, or pairs of texts, labelled or not, from a csv, tsv, jsonl, json or parquet file.

    Columns that are not named are found by their usual names. Labels are names of the model's `labels` or indices; an
    empty `label_column` reads the file as unlabelled.

    Raises:
        CorpusError: the file cannot be read, lacks a column, holds no text, or its labels do not fit the model's.
    """
    table = open_table(path)
    columns = choose(path.name, table.columns, text=text_column, pair=pair_column, label=label_column)
    rows: list[Row] = []
    given: list[Given] = []
    read = replaced = 0
    for record in table.records:
        read += 1
        texts = [text_of(path, record, column) for column in (columns.text, columns.pair) if column]
        if not all(text.replace("\0", "").strip() for text in texts):
            continue
        clean = [UNUSABLE.sub(REPLACEMENT, text) for text in texts]
        replaced += clean != texts
        rows.append(Row(read - 1, clean[0], clean[1] if columns.pair else None))
        if columns.label:
            given.append(Given(record.place, as_text(record.values.get(columns.label))))
    if not rows:
        what = f"{read} records, none with a text in {columns.text!r}" if read else "a header and no rows"
        raise CorpusError(f"{path.name} holds {what}", hint="Give a file with at least one text.")
    notes = list(columns.notes)
    gold, remarks = gold_labels(path, columns, given, table.class_names.get(columns.label or "", ()), labels)
    notes += remarks
    if gold:
        rows = [replace(row, label=index) for row, index in zip(rows, gold, strict=True)]
    if replaced:
        notes.append(f"{replaced} rows held NUL characters or lone surrogates, which were replaced by U+FFFD")
    if again := len(rows) - len(distinct(rows)):
        notes.append(f"{again} rows repeat the text of an earlier row; a scan asks the first of them")
    return Corpus(str(path), tuple(rows), tuple(labels) if gold else None, read - len(rows), tuple(notes))


def text_of(path: Path, record: Record, column: str) -> str:
    value: Any = record.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(
            f"{path.name}, {record.place}: column {column!r} holds {kind(value)}, not a text",
            hint="Name the column of the texts with --text-column.",
        )
    return value


def gold_labels(
    path: Path, columns: Columns, given: Sequence[Given], classes: Sequence[str], labels: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Label indices (none where the file is unlabelled), and notes."""
    if columns.label is None:
        return [], []
    if all(not g.value for g in given):
        return [], [f"column {columns.label!r} is empty; read as unlabelled"]
    if all(g.value == HIDDEN for g in given):
        return [], [f"every label in {columns.label!r} is -1, the mark of a hidden label; read as unlabelled"]
    if bare := [g for g in given if not g.value]:
        raise CorpusError(
            f"{path.name}, {bare[0].place}: no label, while other rows have one ({len(bare)} of {len(given)} lack it)",
            hint="Label every row or none, or read the file as unlabelled with --label-column ''.",
        )
    indices, note = match(given, labels, source=path.name, column=columns.label, classes=classes)
    return indices, [note] if note else []


def builtin(name: str, *, labels: Sequence[str]) -> Corpus:
    """A built-in corpus; labelled where the model's labels can be read as the corpus's own.

    Raises:
        CorpusError: no such corpus.
    """
    if name not in BUILTIN:
        raise CorpusError(f"no built-in corpus {name!r}", hint=f"Known: {', '.join(BUILTIN)}.")
    reading = read_as_sentiment(labels) if name == "sentiment" else read_as_news(labels) if name == "news" else None
    with as_file(files("probes") / "data" / f"{name}.csv") as path:
        records = list(open_table(path).records)
    rows = tuple(
        Row(i, record.values["text"], None, reading[record.values["label"]] if reading else None)
        for i, record in enumerate(records)
    )
    note = f"no data of your own: {len(rows)} built-in texts ({name}), "
    note += (
        "with gold labels" if reading else "without gold labels, so the model's own clean predictions are the reference"
    )
    return Corpus(f"builtin:{name}", rows, tuple(labels) if reading else None, 0, (note,))


def builtin_for(labels: Sequence[str]) -> Corpus:
    """The built-in corpus that suits a model's label names.

    Sentiment where they say negative and positive (a third may say neutral), news for the four topics World, Sports,
    Business and Sci/Tech. Names that say nothing (LABEL_0, LABEL_1) are never guessed at: two such labels
    get the sentiment texts, the likeliest kind, without gold labels. Any other model gets the general texts, also
    without gold labels.
    """
    if read_as_sentiment(labels) or (len(labels) == 2 and are_unnamed(labels)):
        return builtin("sentiment", labels=labels)
    return builtin("news" if read_as_news(labels) else "general", labels=labels)


def read_as_sentiment(labels: Sequence[str]) -> dict[str, int] | None:
    """Where `negative` and `positive` stand among the model's labels; None where they cannot be told."""
    found = [SENTIMENT.get(name.strip().casefold(), "") for name in labels]
    return positions(found, ["negative", "positive"]) or positions(found, ["negative", "neutral", "positive"])


def read_as_news(labels: Sequence[str]) -> dict[str, int] | None:
    """Where the four news topics stand among the model's labels; None where they cannot be told."""
    found = [NEWS.get(re.sub("[^a-z]", "", name.casefold()), "") for name in labels]
    return positions(found, ["Business", "Sci/Tech", "Sports", "World"])


def positions(found: Sequence[str], wanted: Sequence[str]) -> dict[str, int] | None:
    """Each wanted name's place, where `found` holds every one once and nothing else."""
    return {name: i for i, name in enumerate(found)} if sorted(found) == sorted(wanted) else None
