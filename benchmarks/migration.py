"""What it costs to bring a catalog of revision 0003 up to date, and that a killed migration loses nothing.

    python benchmarks/migration.py [--batches N] [--asks N] [--kills N] [--work DIR]

Makes a catalog as the version before wrote it (the one of the tests, and N batches more), migrates it once, and then
kills a process that migrates it, at random moments. After each kill the catalog must be whole, and hold every answer
either as it was or converted, equal to the bit; last, it is migrated to the end. The check reads the file by itself,
without the store. Exit code 1: something was lost.
"""

from __future__ import annotations

import argparse
import array
import hashlib
import json
import multiprocessing
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import alembic.command
import alembic.script  # noqa: F401

from store.engine import open_catalog
from store.migrations import HEAD

OLD_CATALOG = Path(__file__).parents[1] / "tests" / "store" / "catalog_0003.sql"
SEED = 16
FORK = multiprocessing.get_context("fork")
Batch = tuple[int, int, list[int | None], list[int], bytes]


def make(path: Path, batches: int, asks: int) -> None:
    """A catalog of revision 0003 with one more run of so many batches."""
    chance = random.Random(SEED)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(OLD_CATALOG.read_text(encoding="utf-8"))
        connection.execute("INSERT INTO runs (id, key, model_digest, batches) VALUES (99, 'large', 'd', ?)", (batches,))
        for number in range(batches):
            labels = [chance.choice((0, 1, 1, None)) for _ in range(asks)]
            widths = [0 if label is None else 2 for label in labels]
            shares = array.array("d", (chance.random() for _ in range(sum(widths)))).tobytes()
            values = (99, number, json.dumps(labels), json.dumps(widths), shares)
            connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", values)


def old_batches(connection: sqlite3.Connection) -> Iterator[Batch]:
    """As revision 0003 has them."""
    for run, number, labels, widths, shares in connection.execute(
        "SELECT run_id, number, labels, widths, probabilities FROM batches ORDER BY run_id, number"
    ):
        yield run, number, json.loads(labels), json.loads(widths), shares


def new_batches(connection: sqlite3.Connection) -> Iterator[Batch]:
    """As revision 0004 has them."""
    for run, number, kind, asks, payload in connection.execute(
        "SELECT run_id, number, kind, asks, payload FROM batches ORDER BY run_id, number"
    ):
        assert kind == "choices/1"
        numbers = memoryview(payload[: 8 * asks]).cast("i").tolist()
        labels = [None if label < 0 else label for label in numbers[:asks]]
        yield run, number, labels, numbers[asks:], payload[8 * asks :]


def contents(path: Path) -> tuple[str, str]:
    """The revision, and a digest of all that the catalog holds, whatever the revision."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(path)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert sound == "ok", sound
        assert "old_batches" not in tables
        for batch in old_batches(connection) if revision == "0003" else new_batches(connection):
            digest.update(repr(batch).encode())
        for name in sorted(tables - {"alembic_version", "batches", "scores", "benchmarks", "benchmark_parts"}):
            columns = [c[1] for c in connection.execute(f"PRAGMA table_info({name})") if c[1] not in ("host", "made")]
            for row in connection.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1"):
                digest.update(repr((name, row)).encode())
    return revision, digest.hexdigest()


def migrate(path: Path, seconds: float | None = None) -> float:
    """Opens the catalog in a process of its own, which is killed after so many seconds; how long it took.

    The process is forked with everything imported, so that a kill falls into the migration itself.
    """
    process = FORK.Process(target=lambda: open_catalog(f"sqlite:///{path}").close())
    began = time.monotonic()
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    took = time.monotonic() - began
    assert process.exitcode == 0 or seconds is not None, f"the migration failed with {process.exitcode}"
    return took


def remove_backups(path: Path) -> None:
    """They would fill the disk."""
    for backup in path.parent.glob(f"{path.name}.*.bak*"):
        backup.unlink()


def run(work: Path, batches: int, asks: int, kills: int) -> int:
    """Prints costs and kills; 1 where something was lost."""
    pristine, path = work / "pristine.db", work / "catalog.db"
    make(pristine, batches, asks)
    expected = contents(pristine)
    shutil.copy(pristine, path)
    took = migrate(path)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = f"{took:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of CPU), peak {used.ru_maxrss / 2**10:.0f} MB"
    sizes = [place.stat().st_size / 2**20 for place in (pristine, path)]
    print(f"{batches} batches of {asks}: {cost}, file {sizes[0]:.0f} → {sizes[1]:.0f} MB", flush=True)
    if contents(path) != (HEAD, expected[1]):
        print("an uninterrupted migration changed answers")
        return 1
    chance = random.Random(SEED)
    outcomes = {"0003": 0, HEAD: 0}
    shutil.copy(pristine, path)
    for number in range(kills):
        migrate(path, chance.uniform(0, 1.05 * took))
        revision, digest = contents(path)
        outcomes[revision] += 1
        if digest != expected[1]:
            print(f"kill {number + 1}: answers were lost (revision {revision})")
            return 1
        remove_backups(path)
        if revision != "0003":
            shutil.copy(pristine, path)
    migrate(path)
    lost = contents(path) != (HEAD, expected[1])
    print(f"killed {kills} times: {outcomes['0003']} times as it was, {outcomes[HEAD]} times done; lost: {lost}")
    return int(lost)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=50_000)
    parser.add_argument("--asks", type=int, default=32)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        return run(Path(work), given.batches, given.asks, given.kills)


if __name__ == "__main__":
    sys.exit(main())
