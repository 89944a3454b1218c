"""What a scan needs from outside: devices, loaded models, and the catalog's stored answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from auditor.bench.paired import changes
from auditor.bench.run import run_benchmarks
from auditor.bench.task import Benchmark
from auditor.events import Event
from auditor.models.runtime.device import pick_dtype, pick_room
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.tokenizer import ModelTokenizer, load_tokenizer
from auditor.scan.execution.local import Answered, LocalExecutor
from auditor.scan.execution.run import Role
from auditor.scan.plan import Plan
from auditor.settings import Settings
from probes.answer import Likelihood
from probes.input import Input, Row
from store.catalog import Catalog
from store.records import BenchmarkChange, BenchmarkScore, Profile, Run


@dataclass
class CatalogBackend:
    """Loads models as the settings say, and keeps answers in the catalog."""

    settings: Settings
    catalog: Catalog
    executor: LocalExecutor = field(default_factory=LocalExecutor)

    @cached_property
    def _device(self) -> tuple[str, str]:
        device = pick_room(self.settings.device)
        return device, pick_dtype(self.settings.dtype, device)

    def device(self) -> tuple[str, str]:
        """The device and dtype that models are loaded with."""
        return self._device

    def run(self, plan: Plan, load: LoadSpec, run: Run, role: Role) -> Generator[Event, None, Answered]:
        """Asks in this process."""
        return self.executor.run(plan, load, run, role)

    def likelihoods(self, load: LoadSpec, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        """Asks in this process."""
        return self.executor.likelihoods(load, pairs)

    @contextmanager
    def keeping(self) -> Iterator[CatalogBackend]:
        """The same, with the last model kept open until the end; the base of adapters stays beyond that."""
        if self.executor.keeps:
            yield self
            return
        executor = replace(self.executor, keeps=True)
        try:
            yield replace(self, executor=executor)
        finally:
            executor.let_go()

    def release(self) -> None:
        """Frees the memory of what was kept open, the base of adapters say."""
        self.executor.close()

    def tokenizer(self, profile: Profile) -> ModelTokenizer:
        """A model's tokenizer, without the model."""
        return load_tokenizer(profile)

    def bench(
        self, tasks: Sequence[Benchmark], profile: Profile, *, fresh: bool
    ) -> Generator[Event, None, tuple[BenchmarkScore, ...]]:
        """Asks in this process; rows are kept in the catalog."""
        device, dtype = self.device()
        return run_benchmarks(tasks, profile, device, dtype, self.catalog.benchmarks, fresh=fresh)

    def bench_changes(
        self, before: Sequence[BenchmarkScore], after: Sequence[BenchmarkScore]
    ) -> tuple[BenchmarkChange, ...]:
        """From the rows in the catalog."""
        return changes(before, after, self.catalog.benchmarks)

    def open_run(self, key: str, *, model_digest: str, batches: int, fresh: bool) -> Run:
        """The stored answers to a plan, or a new place for them."""
        return self.catalog.runs.open_run(key, model_digest=model_digest, batches=batches, fresh=fresh)

    def keep_rows(self, digest: str, rows: Sequence[Row]) -> None:
        """Stores the rows of a plan."""
        self.catalog.runs.keep_rows(digest, rows)
