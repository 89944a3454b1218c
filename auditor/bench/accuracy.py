"""Accuracy on rows with gold labels: what a benchmark is to a classifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.bench.task import digest_of
from auditor.data.rows import read_rows
from auditor.errors import UsageError
from auditor.requests.bench import BenchRequest
from auditor.requests.scan import DataRequest
from probes.input import Row, texts
from store.records import BenchmarkRow, BenchmarkScore

if TYPE_CHECKING:
    from auditor.bench.opening import Subject
    from store.records import Profile

ACCURACY = "acc"
VERSION = "1"


@dataclass(frozen=True)
class Accuracy:
    """The share of rows to which a classifier gives their gold label; implements `Benchmark`.

    Attributes:
        name: the file's, without its ending.
        labelled: its rows.
    """

    name: str
    labelled: tuple[Row, ...]

    part = 64

    @property
    def digest(self) -> str:
        """Of the rows and their labels."""
        return digest_of(self.name, VERSION, *(_digest(row) for row in self.labelled))

    @property
    def asked(self) -> str:
        """How a model is asked, in words."""
        return "gold labels of the file, texts as they are"

    def rows(self, subject: Subject) -> int:
        """How many rows there are."""
        return len(self.labelled)

    def score(self, subject: Subject, start: int, stop: int) -> list[BenchmarkRow]:
        """The rows of these places, scored; a row that cannot be scored is wrong."""
        rows = self.labelled[start:stop]
        chosen = subject.classifier().choose([row.input for row in rows]).labels.tolist()
        return [
            BenchmarkRow(_digest(row), {ACCURACY: float(label == row.label)})
            for row, label in zip(rows, chosen, strict=True)
        ]

    def totals(self, rows: Sequence[BenchmarkRow]) -> tuple[BenchmarkScore, ...]:
        """The accuracy, with the standard error of a share."""
        hits = [float(row.values[ACCURACY]) for row in rows]
        value = sum(hits) / len(hits)
        error = math.sqrt(value * (1 - value) / (len(hits) - 1)) if len(hits) > 1 else math.nan
        return (BenchmarkScore(self.name, ACCURACY, value, error, len(hits), "", self.asked, True, True),)


def accuracy_task(file: str, request: BenchRequest, profile: Profile) -> Accuracy:
    """The accuracy of a classifier on a file's rows.

    Raises:
        UsageError: the file cannot be read, has no gold labels, or others than the model's.
        FetchError: a hub dataset could not be fetched.
    """
    rows = tuple(row for row in read_rows(DataRequest(file), profile.labels).rows if row.label is not None)
    if not rows:
        raise UsageError(
            f"{file} has no gold labels, so no accuracy can be told of it",
            hint=f"A benchmark of a classifier is a file of rows with its labels: {', '.join(profile.labels)}.",
        )
    return Accuracy(Path(file).stem or file, rows if request.limit is None else rows[: request.limit])


def _digest(row: Row) -> str:
    return digest_of(*texts(row.input), str(row.label))
