"""The benchmarks of the partners, where an audit is asked for them too."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from auditor.bench.choose import benchmarks_for
from auditor.events import Event
from auditor.scan.execution.executor import Backend
from auditor.scan.prepare import Prepared
from store.records import Audit, Profile


def partners_benched(
    record: Audit, prepared: Prepared, partners: Sequence[Profile], backend: Backend
) -> Generator[Event, None, Audit]:
    """The audit with its partners' benchmarks beside what they carry; as it was where they are not asked for.

    Raises:
        UsageError, ModelError: a partner cannot be asked them.
    """
    request = prepared.request.bench
    if not (request.partners and request.tasks):
        return record
    scores = {}
    for profile in partners:
        tasks = benchmarks_for(request, profile)
        scores[profile.ref.digest] = yield from backend.bench(tasks, profile, fresh=prepared.request.fresh)
    rows = tuple(replace(row, benchmarks=scores.get(row.digest, ())) for row in record.ingredients)
    return replace(record, ingredients=rows)
