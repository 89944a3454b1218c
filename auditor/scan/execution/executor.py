"""Who asks a model a plan."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from auditor.bench.task import Benchmark
from auditor.events import Event
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.tokenizer import ModelTokenizer
from auditor.scan.execution.local import Answered
from auditor.scan.execution.run import Role
from auditor.scan.plan import Plan
from probes.answer import Likelihood
from probes.input import Input, Row
from store.records import BenchmarkChange, BenchmarkScore, Profile, Run


class Executor(Protocol):
    """Asks models plans. It is told what to open, not handed what is open: the work may be done elsewhere."""

    def run(self, plan: Plan, load: LoadSpec, run: Run, role: Role) -> Generator[Event, None, Answered]:
        """Answers a plan batch by batch.

        Args:
            load: the model; where all batches are stored, it is not opened.
            run: with the batches that are stored already, which are not asked again.
            role: as what the model is asked.

        Raises:
            UsageError: the model cannot be asked so.
            ModelError: it cannot be opened, or fails.
        """
        ...

    def likelihoods(self, load: LoadSpec, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        """How probable a model that writes finds each text after its prompt. Nothing of it is stored.

        Raises:
            UsageError, ModelError: as `run`.
        """
        ...


class Backend(Executor, Protocol):
    """What a scan needs from outside: devices, answers, tokenizers, and what is stored."""

    def device(self) -> tuple[str, str]:
        """The device and the dtype that models will be loaded with."""
        ...

    def keeping(self) -> AbstractContextManager[Backend]:
        """The same backend, which keeps the last model that it opened until the end: for several small plans."""
        ...

    def release(self) -> None:
        """Frees the memory of what was kept open, the base of adapters say."""
        ...

    def tokenizer(self, profile: Profile) -> ModelTokenizer:
        """A model's tokenizer, without the model."""
        ...

    def bench(
        self, tasks: Sequence[Benchmark], profile: Profile, *, fresh: bool
    ) -> Generator[Event, None, tuple[BenchmarkScore, ...]]:
        """A model's benchmarks, going on from stored rows; see `run_benchmarks`, which raises the same."""
        ...

    def bench_changes(
        self, before: Sequence[BenchmarkScore], after: Sequence[BenchmarkScore]
    ) -> tuple[BenchmarkChange, ...]:
        """What changed between two models' benchmarks, row by row."""
        ...

    def open_run(self, key: str, *, model_digest: str, batches: int, fresh: bool) -> Run:
        """The stored answers to a plan, or a new place for them."""
        ...

    def keep_rows(self, digest: str, rows: Sequence[Row]) -> None:
        """Stores the rows of a plan, so that scans can be compared row by row later."""
        ...
