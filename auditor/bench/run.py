"""Runs benchmarks: part by part, stored as they are scored, so that what was stopped goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.bench.opening import Subject
from auditor.bench.task import digest_of
from auditor.events import BenchmarkReady, Event, Progress, Stage
from store.records import BenchmarkScore

if TYPE_CHECKING:
    from auditor.bench.task import Benchmark
    from store.benchmarks import Benchmarks
    from store.records import Profile

MAKING = "1"
"""How rows are scored and cut into parts; another number where an earlier version may have scored them otherwise."""


def run_benchmarks(
    tasks: Sequence[Benchmark], profile: Profile, device: str, dtype: str, store: Benchmarks, *, fresh: bool = False
) -> Generator[Event, None, tuple[BenchmarkScore, ...]]:
    """Asks a model all benchmarks, one after the other, and gives back their scores.

    A run that is whole in the store is not asked again, and its model not opened.

    Args:
        device, dtype: how the model is opened.
        fresh: drop stored rows.

    Raises:
        ModelError: the model cannot be opened, or fails on a row. What was scored before is stored.
    """
    found: list[BenchmarkScore] = []
    with closing(Subject(profile, device, dtype)) as subject:
        for task in tasks:
            found += yield from _run(task, subject, store, fresh=fresh)
    return tuple(found)


def key_of(task: Benchmark, subject: Subject) -> str:
    """The digest of what fixes a model's rows: its files (weights, config, tokenizer, template; of an adapter the
    base's too), number format, kind of device, and all that it is asked.
    """
    kind = subject.device.partition(":")[0]
    return digest_of(MAKING, subject.profile.ref.digest, subject.dtype, kind, str(task.part), task.digest)


def _run(
    task: Benchmark, subject: Subject, store: Benchmarks, *, fresh: bool
) -> Generator[Event, None, tuple[BenchmarkScore, ...]]:
    name, key = subject.profile.ref.reference, key_of(task, subject)
    stored = store.open(key, model_digest=subject.profile.ref.digest, task=task.name, fresh=fresh)
    yield Stage("bench", f"{task.name} of {name}")
    scored = dict(stored.scored)
    if not stored.whole:
        rows = task.rows(subject)
        parts = math.ceil(rows / task.part)
        done = sum(map(len, scored.values()))
        if scored:
            yield Progress("bench", done, rows, "rows", "going on from stored rows")
        begun, fresh_rows = time.monotonic(), 0
        for number in range(parts):
            if number in scored:
                continue
            start = number * task.part
            own = tuple(task.score(subject, start, min(start + task.part, rows)))
            store.store_part(stored.id, number, own, parts=parts)
            scored[number] = own
            done, fresh_rows = done + len(own), fresh_rows + len(own)
            yield Progress("bench", done, rows, "rows", _speed(fresh_rows, rows - done, time.monotonic() - begun))
    told = [row for number in sorted(scored) for row in scored[number]]
    asked = f"{task.asked}, {subject.dtype} on {subject.device.partition(':')[0]}"
    scores = tuple(replace(score, run=key, asked=asked) for score in task.totals(told))
    yield BenchmarkReady(name, scores)
    return scores


def _speed(rows: int, left: int, seconds: float) -> str:
    """Rows a second, and how long the rest takes at that."""
    speed = rows / max(seconds, 1e-9)
    minutes, over = divmod(round(left / speed), 60)
    return f"{speed:,.1f} rows a second, {minutes}:{over:02d} left"
