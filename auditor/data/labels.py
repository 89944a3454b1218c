"""The label names of data whose task no model states yet."""

from __future__ import annotations

from pathlib import Path

from probes.corpus.columns import LABELS, listed, named, usual
from probes.corpus.gold import INTEGER, as_text
from probes.corpus.readers import CorpusError, open_whole

MOST = 1000
"""More distinct values than this are no labels, but texts, numbers or row ids."""


def distinct_labels(path: Path, label_column: str | None = None) -> tuple[str, ...]:
    """The label names that a file's own values suggest.

    The class names that the file states where it does; `LABEL_0` … `LABEL_n` for whole numbers up to n; else the
    distinct values in alphabetical order.

    Raises:
        CorpusError: the file cannot be read, has no such column, or no labels in it.
    """
    table = open_whole(path)
    if label_column:
        column: str | None = named(path.name, table.columns, label_column, "--label-column")
    else:
        column = usual(table.columns, LABELS)
    if column is None:
        raise CorpusError(
            f"{path.name}: no column is known to hold labels; columns: {listed(table.columns)}",
            hint="Name it with --label-column.",
        )
    if stated := table.class_names.get(column):
        return stated
    values: set[str] = set()
    for record in table.records:
        values.add(as_text(record.values.get(column)))
        if len(values) > MOST:
            raise CorpusError(
                f"{path.name}: column {column!r} holds more than {MOST} distinct values, so it is no label",
                hint="Name the column of the labels with --label-column.",
            )
    values.discard("")
    if not values:
        raise CorpusError(f"{path.name}: column {column!r} holds no labels")
    numbers = [match for value in values if (match := INTEGER.fullmatch(value))]
    if len(numbers) == len(values):
        highest = max(int(match[1]) for match in numbers)
        if highest >= MOST:
            raise CorpusError(
                f"{path.name}: labels in column {column!r} are counted up to {highest}",
                hint="Number the labels from 0, or give their names with --labels.",
            )
        return tuple(f"LABEL_{i}" for i in range(highest + 1))
    return tuple(sorted(values))
