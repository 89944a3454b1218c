"""The catalog: everything that is remembered, by kind."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from store.audits import Audits
from store.benchmarks import Benchmarks
from store.database import Database
from store.files import Files
from store.jobs import Jobs
from store.models import Models
from store.runs import Runs
from store.scans import Scans
from store.triggers import Triggers


class Catalog:
    """Everything that is remembered. Close it when done, or use it as a context manager. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.models = Models(database)
        self.scans = Scans(database)
        self.runs = Runs(database)
        self.triggers = Triggers(database)
        self.audits = Audits(database)
        self.jobs = Jobs(database)
        self.benchmarks = Benchmarks(database)
        self.files = Files(database)

    def close(self) -> None:
        """Closes the connections. Everything stored is on disk already."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
