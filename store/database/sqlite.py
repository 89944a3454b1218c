"""Opens a catalog in an SQLite file: everything particular to SQLite, each with its reason.

What its errors mean is in `store.database.explain`.
"""

from __future__ import annotations

import errno
import glob
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from store import migrations
from store.database.database import (
    HINT_URL,
    WRITES,
    AddressUnusable,
    CatalogUnusable,
    Database,
    make_engine,
    shown,
)
from store.database.explain import HINT_PLACE, HINT_RESTORE, explain, explain_sqlite, primary_code
from store.database.upgrade import apply_migrations, refuse_unknown

CHECKED_BYTES = 64 * 2**20
"""Files up to this size are checked whole whenever they open (about 0.1 s); larger ones before a migration."""

RETRY_SECONDS = 0.02


def open_sqlite(url: URL, patience: float) -> Database:
    """Opens the database, making it where there is none, and migrating it where it is older, after a backup.

    Raises:
        AddressUnusable: the URL names no file of this machine, or has options.
        CatalogUnusable: it is damaged, newer than the program, read-only, locked, or another program's.
    """
    path = _sqlite_path(url)
    place = str(path) if path else "in memory"
    # Whether it can be used at all is known before a directory is made.
    engine = make_engine(url.set(database=str(path)) if path else url, connect_args={"timeout": patience})
    if path:
        _prepare_place(path)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)

    def reason(error: Exception) -> CatalogUnusable | None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        known = explain_sqlite(cause, place=place, patience=patience) if cause else None
        return known or explain(error, place=place)

    database = Database(engine, reason)
    try:
        with database.explained():
            _bring_up_to_date(database, path, place, patience)
    except BaseException:
        database.close()
        raise
    return database


def _sqlite_path(url: URL) -> Path | None:
    """The file; None for a database in memory.

    Raises:
        AddressUnusable: a host, a driver or options, which a file has not.
    """
    if url.host or url.port or url.username:
        raise AddressUnusable(
            f"the catalog's address {shown(url)} names a host: an SQLite database is a file of this machine",
            "A path from the root has four slashes: sqlite:////home/me/catalog.db.",
        )
    if url.get_driver_name() != "pysqlite":
        raise AddressUnusable(
            f"the catalog's address {shown(url)} names another driver than Python's own", f"Leave it out. {HINT_URL}"
        )
    if url.database and url.database.startswith("file:"):
        raise AddressUnusable(
            f"the catalog's address {shown(url)} is an SQLite URI", "Give a plain path: sqlite:////path.db"
        )
    if url.query:
        raise AddressUnusable(
            f"the catalog's address {shown(url)} has options, and an SQLite catalog takes none",
            "Leave out what follows the question mark; one that belongs to the file's name is written %3F.",
        )
    if not url.database or url.database == ":memory:":
        return None
    try:
        return Path(url.database).expanduser().absolute()
    except RuntimeError as error:
        raise AddressUnusable(
            f"the catalog's path {url.database} names a user that is not known", HINT_PLACE
        ) from error


def _prepare_place(path: Path) -> None:
    """Makes the directory. The file itself is only asked about, never opened here.

    POSIX locks belong to the process: closing any descriptor of the file would drop the locks that another connection
    of this process holds (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        exists = path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise AddressUnusable(
                f"the catalog's name {path} is longer than the file system allows", HINT_PLACE
            ) from error
        raise CatalogUnusable(
            f"the catalog's directory {path.parent} cannot be used: {error.strerror or error}", HINT_PLACE
        ) from error
    if exists and not path.is_file():
        raise CatalogUnusable(f"the catalog {path} is a directory", "Name a file.")
    # The directory must be writable too: SQLite keeps its write-ahead log beside the file.
    for needed in (path, path.parent) if exists else (path.parent,):
        if not os.access(needed, os.R_OK | os.W_OK):
            if os.statvfs(needed).f_flag & os.ST_RDONLY:
                raise CatalogUnusable(
                    f"the catalog {path} cannot be written: its disk is read-only (mounted so)",
                    "Copy it to a disk that can be written, and name that place with --catalog or AUDITOR_CATALOG.",
                )
            raise CatalogUnusable(
                f"the catalog {path} cannot be written: {needed} is read-only for this user",
                f"Change its permissions. {HINT_PLACE}",
            )


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin late and do not cover DDL, which leaves half-made tables behind a failed
    # migration; `_on_begin` begins them instead.
    connection.isolation_level = None
    # Off by default, and set for each connection.
    connection.execute("PRAGMA foreign_keys=ON")
    # In WAL mode the default may lose the last transactions with the power; a stored batch has to stay.
    connection.execute("PRAGMA synchronous=FULL")


def _on_begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once, whatever the timeout, if another process wrote in
    # between. One that will write takes the write lock first, and waits for it.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(database: Database, path: Path | None, place: str, patience: float) -> None:
    # Nothing is changed before the catalog is known to be ours and sound, not even the journal's mode.
    with database.engine.connect() as connection:
        standing = migrations.standing(connection)
        refuse_unknown(standing, place)
        if path and (not standing.current or path.stat().st_size <= CHECKED_BYTES):
            _check(connection, place)
    if path:
        _use_wal(database.engine, patience)
    if not standing.current:
        _migrate(database, path, place)


def _check(connection: Connection, place: str) -> None:
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if verdict != "ok":
        raise CatalogUnusable(f"the catalog {place} is damaged: {verdict}", HINT_RESTORE)


def _use_wal(engine: Engine, patience: float) -> None:
    """Write-ahead log: readers and a writer do not wait for each other, and a killed process leaves the file sound.

    The mode is kept in the file. Changing it needs the file alone, and SQLite reports a second process that does the
    same at once, without waiting; so it is tried again. Where a file system cannot do it, SQLite keeps its old journal.
    """
    deadline = time.monotonic() + patience
    with closing(engine.raw_connection()) as connection:
        while True:
            try:
                with closing(connection.cursor()) as cursor:
                    cursor.execute("PRAGMA journal_mode")
                    if cursor.fetchone() != ("wal",):
                        cursor.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)


def _migrate(database: Database, path: Path | None, place: str) -> None:
    with database.engine.connect().execution_options(**{WRITES: True}) as connection:
        # A migration that makes a table anew drops the old one, which would empty the tables that refer to it. The
        # switch has no effect inside a transaction. A detached connection is not used again.
        _driver(connection).execute("PRAGMA foreign_keys=OFF")
        if path:
            connection.detach()
        with connection.begin():
            # Under the write lock: another process may have been quicker.
            standing = migrations.standing(connection)
            refuse_unknown(standing, place)
            if standing.current:
                return
            if path and not standing.empty:
                _back_up(path, standing.revision or "base")
            apply_migrations(database, connection, place)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise CatalogUnusable(
                    f"the catalog {place} is damaged: rows of {broken[0]} refer to none", HINT_RESTORE
                )
        if not path:
            _driver(connection).execute("PRAGMA foreign_keys=ON")


def _driver(connection: Connection) -> Any:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    return driver


def _back_up(path: Path, revision: str) -> Path:
    """Copies the catalog beside itself, whole or not at all; an older backup is never overwritten.

    SQLite's own copy, since the newest pages may lie in the write-ahead log. Called under the write lock, so nothing
    changes meanwhile.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = [f"{path.name}.{revision}.{moment}{'' if n == 1 else f'-{n}'}.bak" for n in range(1, 100)]
    target = next(place for name in names if not (place := path.with_name(name)).exists())
    part = target.with_name(target.name + ".part")
    try:
        for left in path.parent.glob(f"{glob.escape(path.name)}.*.bak.part"):
            # Of a process that was killed: nobody else makes a backup while this one holds the lock.
            left.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise CatalogUnusable(
            f"the catalog {path} needs a migration, but no backup could be made: {error}",
            f"Make room in {path.parent}, or name another catalog. It was left as it is.",
        ) from error
    return target
