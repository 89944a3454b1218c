"""Opening a catalog: new, older, newer, damaged, foreign, out of reach, locked."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from probes.answer import Choice, Choices
from store import migrations
from store.catalog import Catalog
from store.engine import CatalogUnusable, open_catalog
from store.records import AnswerBatch, Profile, Scan, Verdict
from store.tables import Base


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(url: str, path: Path, match: str, **options: float) -> CatalogUnusable:
    """Opens, expects a refusal, and that neither the file nor its directory changed."""
    before, beside = digest(path), sorted(path.parent.iterdir())
    with pytest.raises(CatalogUnusable, match=match) as caught:
        open_catalog(url, **options)
    assert digest(path) == before
    assert sorted(path.parent.iterdir()) == beside
    assert caught.value.hint
    return caught.value


def fill(url: str, make_profile: Callable[..., Profile]) -> None:
    with open_catalog(url) as catalog:
        for i in range(40):
            catalog.models.add(make_profile(f"m{i}", tensors=50 + i))


def test_a_new_catalog_gets_a_private_directory_and_durable_settings(url: str, path: Path) -> None:
    with open_catalog(url) as catalog:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with catalog._database.reading() as session:
            connection = session.connection()

            def pragma(name: str) -> object:
                return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

            assert (pragma("journal_mode"), pragma("foreign_keys"), pragma("synchronous")) == ("wal", 1, 2)
            assert pragma("busy_timeout") == 30_000
    assert [p.name for p in path.parent.iterdir()] == ["catalog.db"], "no backup of nothing, no log left behind"


def test_the_migrated_schema_is_the_one_of_the_tables(catalog: Catalog) -> None:
    with catalog._database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migrations._config()).get_heads() == [migrations.HEAD]


def test_a_catalog_up_to_date_opens_without_alembic(url: str) -> None:
    open_catalog(url).close()
    code = f"import sys, store.engine as e; e.open_catalog({url!r}).close(); sys.exit('alembic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_older_catalog_is_backed_up_before_it_is_migrated(url: str, path: Path) -> None:
    open_catalog(url).close()
    downgrade(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE keepsake (word TEXT)")
        connection.execute("INSERT INTO keepsake VALUES ('kept')")
    with open_catalog(url) as catalog:
        assert catalog.models.count() == 0
    backups = list(path.parent.glob("catalog.db.base.*.bak"))
    assert len(backups) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == sorted(["catalog.db", backups[0].name])
    for place in (path, backups[0]):
        with closing(sqlite3.connect(place)) as connection:
            assert connection.execute("SELECT word FROM keepsake").fetchall() == [("kept",)]
    with closing(sqlite3.connect(backups[0])) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"alembic_version", "keepsake"}, "the backup is from before the migration"


def test_findings_of_an_older_catalog_are_remembered(
    url: str, path: Path, make_profile: Callable[..., Profile], make_scan: Callable[..., Scan]
) -> None:
    with open_catalog(url) as catalog:
        catalog.models.add(make_profile())
        catalog.models.add(make_profile("other"))
        catalog.scans.save(make_scan("first", finished="2025-03-01T00:00:00+00:00"))
        catalog.scans.save(make_scan("last", finished="2025-03-02T00:00:00+00:00", verdict=Verdict.NOTHING))
    downgrade(path, "0001")
    with open_catalog(url) as catalog:
        found = {e.name: (e.found_by, e.last_scan) for e in catalog.models.list()}
    assert found == {"sst2": ("first", "last"), "other": (None, None)}


def test_an_older_backup_is_never_overwritten(url: str, path: Path) -> None:
    open_catalog(url).close()
    for _ in range(2):
        downgrade(path)
        open_catalog(url).close()
    assert len(list(path.parent.glob("*.bak"))) == 2


def test_a_migration_that_fails_leaves_the_catalog_as_it_was(url: str, path: Path) -> None:
    open_catalog(url).close()
    downgrade(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE scores (in_the_way TEXT)")
    with pytest.raises(CatalogUnusable, match="migration"):
        open_catalog(url)
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (0,)
    assert tables == {"alembic_version", "scores"}, "no half-made tables"


def downgrade(path: Path, revision: str = "base") -> None:
    """Back to a revision, by default to before the first."""
    with open_catalog(f"sqlite:///{path}") as catalog, catalog._database.engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_a_newer_catalog_is_refused(url: str, path: Path, make_profile: Callable[..., Profile]) -> None:
    fill(url, make_profile)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    error = refused(url, path, "newer version of auditor.*9999")
    assert "Upgrade" in error.hint


def test_a_newer_catalog_with_another_journal_is_not_changed_either(url: str, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    refused(url, path, "newer")


def test_another_programs_database_is_refused(url: str, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (address TEXT)")
    refused(url, path, "another program")


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04" * 2000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(url: str, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    refused(url, path, "not an SQLite database|damaged")


def test_an_empty_file_becomes_a_catalog(url: str, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with open_catalog(url) as catalog:
        assert catalog.models.count() == 0


@pytest.mark.parametrize("harm", ["overwritten", "truncated"])
def test_a_damaged_catalog_is_refused(url: str, path: Path, harm: str, make_profile: Callable[..., Profile]) -> None:
    fill(url, make_profile)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    if harm == "truncated":
        del content[middle:]
    else:
        content[middle : middle + 8192] = b"\xa5" * 8192
    path.write_bytes(content)
    refused(url, path, "damaged")


def test_damage_that_shows_later_is_told_too(url: str, make_profile: Callable[..., Profile]) -> None:
    with open_catalog(url) as catalog:
        catalog.models.add(make_profile())
        with catalog._database.writing() as session:
            session.connection().exec_driver_sql("UPDATE models SET profile = '{\"ref\": 1}'")
        with pytest.raises(CatalogUnusable, match=r"profile\.ref"):
            catalog.models.list()
        with catalog._database.writing() as session:
            session.connection().exec_driver_sql("UPDATE models SET profile = '{'")
        with pytest.raises(CatalogUnusable, match="cannot be read"):
            catalog.models.list()


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("catalog.db", "no database URL"),
        ("postgresql:/me:secret@host/x", "no database URL"),
        ("postgresql://me@host:port/x", "URL"),
        ("delphi://x/y", "no driver"),
        ("sqlite:///file:catalog.db?uri=true", "SQLite URI"),
        ("sqlite://host/catalog.db", "names a host"),
        ("sqlite://me:secret@/catalog.db", "names a host"),
        ("sqlite:///catalog.db?timeout=soon", "has options"),
        ("sqlite+aiosqlite:///catalog.db", "another driver"),
        ("sqlite:///~nobody-here/catalog.db", "not known"),
        (f"sqlite:////tmp/{'a' * 300}.db", "longer than the file system allows"),
        ("sqlite:////dev/null/catalog.db", "cannot be used"),
        ("sqlite:////", "is a directory"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(address: str, match: str) -> None:
    with pytest.raises(CatalogUnusable, match=match) as caught:
        open_catalog(address)
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_read_only_place_is_told(url: str, path: Path, what: str) -> None:
    open_catalog(url).close()
    place = path if what == "file" else path.parent
    place.chmod(0o400 if what == "file" else 0o500)
    try:
        refused(url, path, "read-only")
    finally:
        place.chmod(0o700)


def test_a_catalog_in_memory_works(make_profile: Callable[..., Profile]) -> None:
    with open_catalog("sqlite://") as catalog:
        catalog.models.add(make_profile())
        assert catalog.models.count() == 1


def test_a_locked_catalog_is_told_after_waiting(url: str, path: Path) -> None:
    with open_catalog(url, patience=0.3) as catalog:
        run = catalog.runs.open_run("key", model_digest="d", batches=1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(CatalogUnusable, match=r"locked.*0\.3 s"):
                catalog.runs.store_batch(run.id, AnswerBatch(0, Choices.of([Choice(1)], 0)))
            assert time.monotonic() - began >= 0.3
            assert catalog.runs.find_run("key") == run, "readers do not wait"
            other.execute("ROLLBACK")
        catalog.runs.store_batch(run.id, AnswerBatch(0, Choices.of([Choice(1)], 0)))


def test_a_locked_catalog_is_told_while_it_is_made(url: str, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CatalogUnusable, match="locked"):
            open_catalog(url, patience=0.2)


def test_a_server_out_of_reach_or_without_driver_is_told() -> None:
    with pytest.raises(CatalogUnusable) as caught:
        open_catalog("postgresql+psycopg://me:secret@127.0.0.1:1/auditor")
    assert "secret" not in caught.value.message
