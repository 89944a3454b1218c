"""What SQLite's errors are to the user: their own words, never "internal error". Real ones where one can be had."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from probes.answer import Choice, Choices
from probes.cases import Row
from store.catalog import Catalog
from store.database.explain import explain, explain_sqlite
from store.engine import AddressUnusable, CatalogUnusable, open_catalog
from store.records import AnswerBatch, Job, Profile, Scan

WORDS = {
    "PERM": "refused access",
    "ABORT": "broken off",
    "BUSY": "locked: another process",
    "BUSY_SNAPSHOT": "locked: another process",
    "LOCKED": "locked by another connection",
    "LOCKED_SHAREDCACHE": "locked by another connection",
    "NOMEM": "not enough memory",
    "READONLY": "is read-only",
    "READONLY_DBMOVED": "moved or deleted",
    "READONLY_DIRECTORY": "is read-only",
    "INTERRUPT": "interrupted",
    "IOERR": "the disk failed",
    "IOERR_FSYNC": "the disk failed",
    "IOERR_NOMEM": "not enough memory",
    "IOERR_SHORT_READ": "a part of the file is missing",
    "IOERR_CORRUPTFS": "damaged",
    "IOERR_LOCK": "network file system",
    "IOERR_SHMMAP": "network file system",
    "CORRUPT": "damaged",
    "CORRUPT_INDEX": "damaged",
    "FULL": "disk is full",
    "CANTOPEN": "cannot be opened",
    "CANTOPEN_ISDIR": "cannot be opened",
    "PROTOCOL": "network file system",
    "SCHEMA": "another program",
    "TOOBIG": "this size",
    "NOLFS": "file system",
    "AUTH": "refused access",
    "NOTADB": "not an SQLite database",
}


@pytest.mark.parametrize("name", WORDS)
def test_every_result_code_of_the_machine_has_its_own_words(name: str) -> None:
    error = sqlite3.OperationalError("it went wrong")
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    found = explain_sqlite(error, place="/data/catalog.db", patience=30)
    assert found is not None
    assert found.message.startswith("the catalog /data/catalog.db ")
    assert WORDS[name] in f"{found.message} {found.hint}"
    assert found.hint


@pytest.mark.parametrize("name", ["ERROR", "CONSTRAINT", "CONSTRAINT_UNIQUE", "MISUSE", "RANGE", "INTERNAL"])
def test_wrong_use_of_the_database_stays_a_bug(name: str) -> None:
    error = sqlite3.OperationalError("syntax error")
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    assert explain_sqlite(error, place="x", patience=1) is None
    assert explain(error, place="x") is None


def limited(catalog: Catalog, statement: str) -> None:
    with catalog._database.engine.connect() as connection:
        connection.exec_driver_sql(statement)


def big_job(name: str) -> Job:
    return Job(name, 1, "2026-01-01T00:00:00+00:00", ("scan", "x" * 200_000), "/none")


def test_a_full_database_is_told(catalog: Catalog) -> None:
    limited(catalog, "PRAGMA max_page_count=1")
    with pytest.raises(CatalogUnusable, match="disk is full"):
        catalog.jobs.add(big_job("j1"))


def test_a_record_that_is_too_large_is_told(catalog: Catalog) -> None:
    with catalog._database.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    with pytest.raises(CatalogUnusable, match="this size"):
        catalog.jobs.add(big_job("j1"))


def test_a_catalog_without_memory_is_told(url: str) -> None:
    """In a process of its own: the limit is the process's."""
    command = f"""
    import sqlite3
    from store.engine import CatalogUnusable, open_catalog
    from store.records import Job

    with open_catalog({url!r}) as catalog:
        sqlite3.connect(":memory:").execute("PRAGMA hard_heap_limit=1500000")
        try:
            catalog.jobs.add(Job("j1", 1, "t", ("x" * 9_000_000,), "/none"))
        except CatalogUnusable as error:
            print(error.message)
    """
    words = [sys.executable, "-c", textwrap.dedent(command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "not enough memory" in done.stdout, done.stderr


def test_a_catalog_on_a_disk_that_is_mounted_read_only_is_told(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system answers there: no mount can be made without rights."""
    open_catalog(url).close()
    monkeypatch.setattr("store.database.sqlite.os.access", lambda *_: False)
    monkeypatch.setattr("store.database.sqlite.os.statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(CatalogUnusable, match="disk is read-only") as caught:
        open_catalog(url)
    assert "Copy it" in caught.value.hint


@pytest.mark.parametrize("missing", ["table", "column"])
def test_a_catalog_that_lost_a_part_is_told(url: str, path: Path, missing: str) -> None:
    open_catalog(url).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE jobs" if missing == "table" else "ALTER TABLE jobs RENAME COLUMN log TO gone")
    with open_catalog(url) as catalog, pytest.raises(CatalogUnusable, match="lacks a part: no such"):
        catalog.jobs.list()


DAMAGE = (
    ("models", "last_verdict", "'clean'"),
    ("models", "profile", "'[]'"),
    ("models", "tags", "'3'"),
    ("models", "worst_asr", "'much'"),
    ("models", "inventory_id", "99"),
    ("models", "name", "cast(x'fffe' as text)"),
    ("scans", "verdict", "'clean'"),
    ("scans", "document", "replace(hex(zeroblob(50000)), '0', '[')"),
    ("batches", "asks", "-1"),
    ("batches", "asks", "2"),
    ("batches", "asks", "'many'"),
    ("batches", "kind", "'colours/7'"),
    ("batches", "kind", "'completions/1'"),
    ("batches", "payload", "12"),
    ("batches", "payload", "payload || x'00'"),
    ("row_sets", "rows", "'[[]]'"),
    ("row_sets", "rows", "'null'"),
    ("jobs", "state", "'odd'"),
    ("alembic_version", "version_num", "''"),
)


@pytest.fixture(scope="module")
def sound(
    tmp_path_factory: pytest.TempPathFactory, make_profile: Callable[..., Profile], make_scan: Callable[..., Scan]
) -> Path:
    """A catalog with something of each kind."""
    path = tmp_path_factory.mktemp("sound") / "catalog.db"
    with open_catalog(f"sqlite:///{path}") as catalog:
        catalog.models.add(make_profile())
        catalog.scans.save(make_scan())
        run = catalog.runs.open_run("key", model_digest="d", batches=1)
        catalog.runs.store_batch(run.id, AnswerBatch(0, Choices.of([Choice(1, (0.25, 0.75))], 2)))
        catalog.runs.keep_rows("rows", [Row(0, "a text", None, 1)])
        catalog.jobs.add(Job("j1", 1, "2026-01-01T00:00:00+00:00", ("scan",), "/none"))
    return path


def read_all(catalog: Catalog) -> None:
    catalog.models.list()
    catalog.scans.list()
    catalog.scans.get("scan-0001")
    catalog.runs.find_run("key")
    catalog.runs.rows("rows")
    catalog.audits.list()
    catalog.jobs.list()


def test_a_sound_catalog_is_read(sound: Path) -> None:
    with open_catalog(f"sqlite:///{sound}") as catalog:
        read_all(catalog)
        run = catalog.runs.find_run("key")
        assert run is not None
        assert run.answered[0].answers.at(0) == Choice(1, (0.25, 0.75))
        assert catalog.runs.rows("rows") == (Row(0, "a text", None, 1),)


@pytest.mark.parametrize(("table", "column", "value"), DAMAGE, ids=lambda part: str(part)[:20])
def test_a_damaged_value_is_told_wherever_it_stands(
    sound: Path, tmp_path: Path, table: str, column: str, value: str
) -> None:
    path = tmp_path / "catalog.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {table} SET {column} = {value}")
    with pytest.raises(CatalogUnusable) as caught, open_catalog(f"sqlite:///{path}") as catalog:
        read_all(catalog)
    assert caught.value.hint


def test_a_file_name_may_hold_what_means_something_in_a_url(tmp_path: Path) -> None:
    from auditor.settings import catalog_url

    for name in ("what?.db", "100%.db", "a%3Fb.db", "~nobody-here.db", "a#b.db"):
        open_catalog(catalog_url(str(tmp_path / name))).close()
        assert (tmp_path / name).is_file()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_bad_address_is_told_apart_from_a_bad_database() -> None:
    with pytest.raises(AddressUnusable):
        open_catalog("sqlite://host/catalog.db")
    with pytest.raises(CatalogUnusable) as caught:
        open_catalog("sqlite:////")
    assert not isinstance(caught.value, AddressUnusable)
