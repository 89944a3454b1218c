"""A scan that is killed ten times loses nothing that was stored, and ends as if it had never been."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

KILLS = 10
PATIENCE = 60.0
"""Seconds to wait for a batch."""


def answered(events: Path) -> int:
    return events.read_text().count('"batch-answered"') if events.exists() else 0


def stored(catalog: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """All stored batches, as the file has them."""
    if not catalog.exists():
        return {}
    connection = sqlite3.connect(catalog)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'batches'").fetchall()
        # A process that was killed while it made the catalog leaves an empty one.
        rows = connection.execute("SELECT run_id, number, * FROM batches").fetchall() if tables else []
    finally:
        connection.close()
    return {row[:2]: row[2:] for row in rows}


def story(record: dict[str, Any]) -> dict[str, Any]:
    """A report without what two runs may differ in."""
    return {key: value for key, value in record.items() if key not in ("id", "started", "finished")}


def test_ten_kills_lose_nothing(zoo: Any, auditor: Any, make_auditor: Any, large: Path) -> None:
    rng = random.Random(20240219)
    scan = [
        "scan",
        zoo.planted,
        "--data",
        large,
        "--suite",
        "full",
        "--family",
        "badnet",
        "--format",
        "json",
        "--quiet",
    ]
    catalog = auditor.home / "catalog.db"
    before: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    under_way = 0
    for number in range(KILLS):
        events = auditor.home / f"events-{number}.jsonl"
        running = auditor.start(*scan, "--events", events)
        wanted, deadline = rng.randint(0, 3), time.monotonic() + PATIENCE
        while answered(events) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        running.send(signal.SIGKILL)
        assert running.wait().code == -signal.SIGKILL
        now = stored(catalog)
        assert {place: now.get(place) for place in before} == before, "a stored batch was lost or changed"
        # A batch is stored before its event is written.
        assert len(now) >= len(before) + answered(events)
        under_way += len(now) > len(before)
        before = now
    assert under_way >= KILLS // 2
    running = auditor.start(*scan, "--events", auditor.home / "last.jsonl")
    resumed = running.wait()
    assert resumed.code == 1, resumed.err
    opened = next(e for e in map(json.loads, (auditor.home / "last.jsonl").open()) if e["kind"] == "run-opened")
    assert opened["resumed"] == len(before)
    assert opened["batches"] > len(before), "the scan was still under way at the last kill"
    elsewhere = make_auditor(auditor.launch, auditor.home / "uninterrupted")
    elsewhere.home.mkdir()
    whole = elsewhere.start(*scan).wait()
    assert whole.code == 1, whole.err
    assert story(resumed.json) == story(whole.json)
