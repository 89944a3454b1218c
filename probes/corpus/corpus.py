"""Texts to probe a model with: the user's own files, or the corpora written for this project."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from probes.corpus.columns import Columns, choose, listed
from probes.corpus.gold import HIDDEN, Given, are_unnamed, as_text, by_any, match
from probes.corpus.likely import Watch, labels_without_header, swallowing
from probes.corpus.readers import CorpusError, Record, Table, kind, open_table, open_whole
from probes.input import Row
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

TEXT_LIMIT = 2**24
"""Longest text, in characters: many times what any model takes."""
REPLACEMENT = "\ufffd"
UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that tokenizers and databases refuse or drop without a word: NUL and lone surrogates."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows to probe with.

    A row's `label` is an index into the model's labels, its `index` the record's place in the source, from 0.

    Attributes:
        label_names: the model's labels where the rows are labelled, None where they are not.
        skipped: records without a text.
        notes: what was decided in reading.
        format: the kind of file, and what was found out of it, in words.
        columns: by use (`text`, `pair`, `label`), the column that serves it.
        unused: columns that nothing was read from.
        records: all records of the source.
    """

    source: str
    rows: tuple[Row, ...]
    label_names: tuple[str, ...] | None
    skipped: int
    notes: tuple[str, ...]
    format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    records: int = 0


def read_corpus(
    path: Path,
    *,
    labels: Sequence[str],
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
) -> Corpus:
    """Reads texts, or pairs of texts, labelled or not, from a csv, tsv, jsonl, json, parquet or txt file.

    Columns that are not named are found by their usual names. Labels are names of the model's `labels` or indices; an
    empty `label_column` reads the file as unlabelled. What was decided without being asked is among the notes.

    Raises:
        CorpusError: the file cannot be read, lacks a column, holds no text, or its labels do not fit the model's.
    """
    choice = partial(choose, path.name, text=text_column, pair=pair_column, label=label_column)
    asked = text_column or pair_column or label_column
    table, columns = opened(path, choice, () if asked or label_column == "" else labels)
    read = gather(path, table, columns, labels)
    if table.later:
        # The columns of JSON are the keys of all its objects, which are known now: another choice reads them again.
        columns = choice((*table.columns, *table.later))
        if columns.uses != read.columns.uses or columns.unused != read.columns.unused:
            table = open_table(path)
            read = gather(path, table, columns, labels)
    return corpus_of(path, table, read, labels)


def opened(path: Path, choice: Callable[[Sequence[str]], Columns], labels: Sequence[str]) -> tuple[Table, Columns]:
    """A file and its columns.

    Where no column is known by its name: those of later records (JSON), or, if the first line is itself a row with one
    of the `labels`, the columns by their place.
    """
    table = open_table(path)
    try:
        return table, choice(table.columns)
    except CorpusError:
        if table.later is not None:
            whole = open_whole(path)
            return whole, choice(whole.columns)
        if table.headerless and (found := labels_without_header(table, labels)):
            text, label = found
            note = (
                f"there is no header: the first line is read as a row, with texts in column {text}, labels in {label}"
            )
            bare = table.headerless()
            return replace(bare, notes=(*bare.notes, note)), Columns(text, None, label)
        if table.headerless and any(map(by_any(labels), table.columns)):
            raise CorpusError(
                f"{path.name} has no header: its first line holds a label, and no name of a column of texts",
                hint="Add a first line that names the columns, for example: label,title,text",
            ) from None
        raise


@dataclass
class Read:
    """What was read of a file's records: rows without labels yet, and the labels as the file gives them."""

    columns: Columns
    watch: Watch | None
    rows: list[Row] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    records: int = 0
    replaced: int = 0


def gather(path: Path, table: Table, columns: Columns, labels: Sequence[str]) -> Read:
    """Reads the records of a table."""
    watch = Watch.of(columns, labels)
    found = Read(columns, watch)
    rows, given = found.rows, found.given
    for number, record in enumerate(table.records):
        found.records = number + 1
        texts = [text_of(path, record, column) for column in (columns.text, columns.pair) if column is not None]
        if not all(text.replace("\0", "").strip() for text in texts):
            continue
        clean = [UNUSABLE.sub(REPLACEMENT, text) for text in texts]
        found.replaced += clean != texts
        rows.append(Row.of(number, clean[0], clean[1] if columns.pair is not None else None))
        if columns.label is not None:
            given.append(Given(record.place, as_text(record.values.get(columns.label))))
        elif watch is not None:
            watch.see(record)
    return found


def corpus_of(path: Path, table: Table, read: Read, labels: Sequence[str]) -> Corpus:
    """The rows with their labels, and all that is to be said of them."""
    columns, rows, given = read.columns, read.rows, read.given
    if not rows:
        empty = "a header and no rows" if table.headerless else "no text"
        what = f"{read.records} records, none with a text in {columns.text!r}" if read.records else empty
        raise CorpusError(f"{path.name} holds {what}", hint="Give a file with at least one text.")
    notes = [*table.notes, *columns.notes]
    if read.watch is not None:
        if likely := read.watch.certain():
            given = read.watch.given[likely]
            unused = tuple(c for c in columns.unused if c != likely)
            columns = replace(columns, label=likely, unused=unused)
            notes.append(f"labels from column {likely!r}: its values are names of the model's labels")
        else:
            notes += read.watch.remarks(len(rows))
    gold, remarks = gold_labels(path, columns, given, table.class_names.get(columns.label or "", ()), labels)
    notes += remarks
    if gold:
        # In place, so that the rows without labels are gone before the next large thing is made.
        rows[:] = [Row.of(row.index, row.text, row.second, index) for row, index in zip(rows, gold, strict=True)]
        if table.headerless and (places := swallowing(rows, {g.value for g in given})):
            notes.append(
                f"{len(places)} texts hold line ends after what could be labels, the first from "
                f"{given[places[0]].place}: was a double quote meant as a character?"
            )
    notes += counts(read, rows)
    if columns.unused:
        notes.append(f"columns that are not read: {listed(columns.unused)}")
    return Corpus(
        str(path),
        tuple(rows),
        tuple(labels) if gold else None,
        read.records - len(rows),
        tuple(notes),
        table.format,
        columns.uses,
        columns.unused,
        read.records,
    )


def counts(read: Read, rows: Sequence[Row]) -> Iterator[str]:
    """Notes on rows that are not what the file holds."""
    if skipped := read.records - len(rows):
        yield f"{skipped} of {read.records} records have no text and are left out"
    if read.replaced:
        yield f"{read.replaced} rows held NUL characters or lone surrogates, which were replaced by U+FFFD"
    if again := len(rows) - len(distinct(rows)):
        yield f"{again} rows repeat the text of an earlier row; a scan asks the first of them"


def text_of(path: Path, record: Record, column: str) -> str:
    value: Any = record.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(
            f"{path.name}, {record.place}: column {column!r} holds {kind(value)}, not a text",
            hint="Join the parts of each text to one, or name another column with --text-column."
            if isinstance(value, list)
            else "Name the column of the texts with --text-column.",
        )
    if len(value) > TEXT_LIMIT:
        raise CorpusError(
            f"{path.name}, {record.place}: a text of {len(value):,} characters in column {column!r}",
            hint=f"A text has at most {TEXT_LIMIT:,}: cut it, or name the column of the texts with --text-column.",
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
        Row.of(i, record.values["text"], None, reading[record.values["label"]] if reading else None)
        for i, record in enumerate(records)
    )
    note = f"no data of your own: {len(rows)} built-in texts ({name}), "
    note += (
        "with gold labels" if reading else "without gold labels, so the model's own clean predictions are the reference"
    )
    known = tuple(labels) if reading else None
    return Corpus(f"builtin:{name}", rows, known, 0, (note,), format="built-in texts", records=len(rows))


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
