"""What a benchmark is to whoever runs it: rows that are scored one by one, and figures over all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from store.records import BenchmarkRow, BenchmarkScore

if TYPE_CHECKING:
    from auditor.bench.opening import Subject


class Benchmark(Protocol):
    """A task with its rows at hand."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """Of everything that fixes what a model is asked: rows, prompts, examples, versions, limits."""
        ...

    @property
    def asked(self) -> str:
        """How a model is asked, in words: what scores hang on."""
        ...

    @property
    def part(self) -> int:
        """Rows that are scored, and stored, at a time."""
        ...

    def rows(self, subject: Subject) -> int:
        """How many rows there are; of some tasks only the model's tokenizer tells."""
        ...

    def score(self, subject: Subject, start: int, stop: int) -> list[BenchmarkRow]:
        """The rows of these places, scored."""
        ...

    def totals(self, rows: Sequence[BenchmarkRow]) -> tuple[BenchmarkScore, ...]:
        """The figures over all rows; of these one is the task's main one."""
        ...


def digest_of(*parts: str) -> str:
    """SHA-256 over texts, each apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def main_metric(metrics: Mapping[str, Any]) -> str:
    """The metric that a task is judged by: its accuracy, or else the first that it names."""
    return next((name for name in metrics if name == "acc"), next(iter(metrics)))
