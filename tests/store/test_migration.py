"""A catalog that the version before wrote: `catalog_0003.sql`, dumped from a file that it had made."""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probes.answer import Choices
from probes.input import Row
from store import codec
from store.engine import CatalogUnusable, open_catalog
from store.records import Job

OLD = Path(__file__).with_name("catalog_0003.sql")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "migration.py"


@pytest.fixture
def old(path: Path) -> Path:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    return path


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def as_now(scan: dict[str, Any]) -> dict[str, Any]:
    """A scan's document with what it says by now of every scan."""
    return scan | {"files": None, "triggers": [], "settings": scan["settings"] | {"asking": None}}


def test_answers_are_equal_to_the_bit(old: Path, url: str) -> None:
    before = rows(old, "SELECT number, labels, widths, probabilities FROM batches ORDER BY number")
    with open_catalog(url) as catalog:
        run = catalog.runs.open_run("key", model_digest=catalog.models.list()[0].profile.ref.digest, batches=4)
    assert run.notes == ("padded on the left",)
    assert [batch.number for batch in run.answered] == [number for number, *_ in before] == [0, 1, 3]
    for batch, (_, labels, widths, probabilities) in zip(run.answered, before, strict=True):
        found = batch.answers
        assert isinstance(found, Choices)
        assert found.labels.tolist() == [-1 if label is None else label for label in json.loads(labels)]
        known = np.asarray(json.loads(widths)) > 0
        assert found.probabilities[known].astype("<f8").tobytes() == probabilities
        assert np.isnan(found.probabilities[~known]).all()
    third = run.answered[2].answers
    assert isinstance(third, Choices)
    assert struct.pack("<2d", *third.probabilities[0]) == struct.pack("<2d", 5e-324, -0.0)


def test_scans_audits_and_the_rest_are_read_as_before(old: Path, url: str) -> None:
    scans = {name: as_now(json.loads(document)) for name, document in rows(old, "SELECT id, document FROM scans")}
    audits = {name: json.loads(document) for name, document in rows(old, "SELECT id, document FROM audits")}
    for audited in audits.values():
        audited.update({side: as_now(audited[side]) for side in ("before", "after") if audited[side]})
        audited["benchmarks"] = []
    with open_catalog(url) as catalog:
        assert {row.id: codec.encode(catalog.scans.get(row.id)) for row in catalog.scans.list()} == scans
        (audit,) = (catalog.audits.get(row.id) for row in catalog.audits.list())
        assert audit is not None
        as_before = codec.encode(audit)
        for change, measured in zip(as_before["change"], audit.change, strict=True):
            change["measure"] = str(measured.measure)
        assert {audit.id: as_before} == audits
        assert scans["before"]["settings"]["families"]["custom"]["files"] == ["triggers.toml"]
        (entry,) = catalog.models.list()
        assert (entry.tags, entry.last_scan, entry.found_by) == (("bought",), "after", "before")
        assert entry.stamp is audit.stamp is not None, "the audit's rescan was of this model"
        assert [merge.output for merge in catalog.audits.merges()] == ["out"]
        assert catalog.runs.rows("d1") == (Row.of(0, "a text", None, 1), Row.of(1, "ein „Text“", "second", None))
        started = "2026-01-01T10:00:00+00:00"
        extra = {"process_started": "1.5"}
        assert catalog.jobs.list() == [
            Job("j1", 4711, started, ("scan", "x"), "/jobs/j1/events.jsonl", extra=extra, host="")
        ]
    assert len(list(old.parent.glob("catalog.db.0003.*.bak"))) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("labels", "7"), ("labels", "["), ("widths", "[2, 0]"), ("widths", "[-1, 0, 2]"), ("probabilities", "x")],
)
def test_a_batch_that_was_damaged_before_stops_no_other(old: Path, url: str, column: str, value: str) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("INSERT INTO runs (id, key, model_digest, batches) VALUES (7, 'other', 'd', 1)")
        connection.execute(
            "INSERT INTO batches SELECT 7, 0, labels, widths, probabilities FROM batches WHERE number = 0"
        )
        connection.execute(f"UPDATE batches SET {column} = ? WHERE run_id = 1 AND number = 0", (value,))
    with open_catalog(url) as catalog:
        other = catalog.runs.find_run("other")
        assert other is not None
        assert len(other.answered) == 1
        with pytest.raises(CatalogUnusable, match="batch 0 of run 1 cannot be read"):
            catalog.runs.find_run("key")
        fresh = catalog.runs.open_run("key", model_digest="d", batches=4, fresh=True)
        assert fresh.answered == ()


def test_what_a_killed_backup_left_is_removed(old: Path, url: str) -> None:
    left = old.with_name("catalog.db.0003.20260101T000000Z.bak.part")
    left.write_bytes(b"half")
    other = old.with_name("catalog.db2.0003.20260101T000000Z.bak.part")
    other.write_bytes(b"another catalog's")
    open_catalog(url).close()
    assert not left.exists()
    assert other.exists()


@pytest.mark.timeout(240)
def test_a_killed_migration_loses_nothing(tmp_path: Path) -> None:
    """A few kills of a small catalog; the script's own defaults are fifty of one with 50,000 batches."""
    words = [sys.executable, str(BENCHMARK), "--batches", "1500", "--kills", "5", "--work", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
