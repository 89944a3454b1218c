"""A scan's record with the benchmarks that were asked for beside it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from auditor.events import Event
from auditor.scan.execution.executor import Backend
from auditor.scan.prepare import Prepared
from store.records import Scan


def benched(prepared: Prepared, record: Scan, backend: Backend) -> Generator[Event, None, Scan]:
    """Asks the scan's model its benchmarks; a record as it was where none are asked for.

    Raises:
        ModelError: the model fails on a row. What was scored before is stored.
    """
    if not prepared.benchmarks:
        return record
    backend.release()
    scores = yield from backend.bench(prepared.benchmarks, prepared.suspect, fresh=prepared.request.fresh)
    return replace(record, scores=replace(record.scores, benchmarks=scores))
