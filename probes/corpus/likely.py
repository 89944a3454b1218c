"""What could be labels, though nobody said so: read where the values leave no doubt, else named in a note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probes.corpus.columns import LIKELY, Columns
from probes.corpus.gold import Given, as_text, by_any, by_name, is_word
from probes.corpus.readers import Record, Table
from probes.input import Row

FEW = 20
"""A column of as many different values (or as many as there are labels), each of which stands twice on average, looks
like one of labels."""
WATCHED = 50
"""Different values (or as many as there are labels) after which a column is no longer looked at: it holds texts or
numbers."""
COLUMNS = 100
"""Most columns that are looked at."""


@dataclass
class Watch:
    """What the columns that nothing is read from hold, as far as it could be labels.

    Attributes:
        labels: the model's.
        values: the different values of a column, while they are few.
        given: the labels of columns that are often called so, to be read where their values are certain.
    """

    labels: Sequence[str]
    values: dict[str, set[str]]
    given: dict[str, list[Given]]

    @classmethod
    def of(cls, columns: Columns, labels: Sequence[str]) -> Watch | None:
        """The columns to look at; None where the labels are known, or the user wants none."""
        if not columns.unasked or not columns.unused:
            return None
        likely = [c for c in columns.unused if c.casefold() in LIKELY]
        return cls(labels, {c: set() for c in (*likely, *columns.unused)[:COLUMNS]}, {c: [] for c in likely})

    def see(self, record: Record) -> None:
        """Looks at a record that is read as a row."""
        over = []
        most = max(WATCHED, len(self.labels))
        for column, found in self.values.items():
            value = as_text(record.values.get(column))
            found.add(value)
            if len(found) > most:
                over.append(column)
            elif column in self.given:
                self.given[column].append(Given(record.place, value))
        for column in over:
            del self.values[column]
            self.given.pop(column, None)

    def certain(self) -> str | None:
        """The one column that is often called so and holds names of the model's labels and nothing else, None where
        there is none or several. Numbers are names only of labels that are words, so they are never certain.
        """
        found = [column for column in self.given if names(self.values[column], self.labels)]
        return found[0] if len(found) == 1 else None

    def remarks(self, rows: int) -> list[str]:
        """Sentences on the columns that look like labels and are not read."""
        out = []
        for column, values in self.values.items():
            filled = values - {""}
            if names(filled, self.labels):
                what = "names of the model's labels"
            elif 2 <= len(filled) <= max(FEW, len(self.labels)) and rows >= 2 * len(filled):
                what = f"{len(filled)} different values, as labels do"
            else:
                continue
            out.append(
                f"column {column!r} holds {what}, and was not read: give it to --label-column if it is the gold label"
            )
        return out


def names(values: Iterable[str], labels: Sequence[str]) -> bool:
    """Whether some values are all names, in words, of a model's labels."""
    named = by_name(labels)
    found = [is_word(value) and named(value) is not None for value in values]
    return bool(found) and all(found)


def labels_without_header(table: Table, labels: Sequence[str]) -> tuple[str, str] | None:
    """The columns of texts and labels, called by number, of a file of two columns whose first line is a row: one of its
    fields is a label of the model, which is no name of a column.
    """
    if table.headerless is None or len(table.columns) != 2:
        return None
    fits = by_any(labels)
    return {(True, False): ("2", "1"), (False, True): ("1", "2")}.get((fits(table.columns[0]), fits(table.columns[1])))


def swallowing(rows: Iterable[Row], values: Iterable[str]) -> list[int]:
    """Which rows have a text of several lines that each end, or begin, with a separator and a label.

    A double quote that was meant as a character may have taken other rows into them.
    """
    label = "|".join(re.escape(value) for value in sorted(values))
    ends = re.compile(rf'.*[^\d][,;\t|]"?(?:{label})"?\r?', re.DOTALL)
    begins = re.compile(rf'"?(?:{label})"?[,;\t|][^\d].*', re.DOTALL)
    found = []
    for place, row in enumerate(rows):
        if "\n" in row.text:
            lines = row.text.split("\n")
            if all(map(ends.fullmatch, lines[:-1])) or all(map(begins.fullmatch, lines[1:])):
                found.append(place)
    return found
