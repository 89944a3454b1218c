"""Opens the catalog's database and brings it up to date.

Everything particular to SQLite is here and nowhere else, each with its reason.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from store import migrations
from store.catalog import Catalog
from store.database import WRITES, CatalogUnusable, Database
from store.migrations import Standing

__all__ = ["BUSY_SECONDS", "CatalogUnusable", "open_catalog"]

BUSY_SECONDS = 30.0
"""How long a connection waits for another process's transaction."""

CHECKED_BYTES = 64 * 2**20
"""Files up to this size are checked whole whenever they open (about 0.1 s); larger ones before a migration."""

RETRY_SECONDS = 0.02

PASSWORD = re.compile(r"(://[^:/@]*:).*@")

HINT_RESTORE = "Move the file away, or restore a backup (files ending in .bak beside it). It was left as it is."
HINT_URL = "Name a database, for example sqlite:////home/me/catalog.db or postgresql+psycopg://user@host/name."


def open_catalog(url: str, *, patience: float = BUSY_SECONDS) -> Catalog:
    """Opens the catalog at a database URL, making it where there is none, and migrating it where it is older.

    Args:
        url: as SQLAlchemy writes it; `sqlite:///` with a path for a file.
        patience: seconds to wait for another process's transaction.

    Raises:
        CatalogUnusable: no such database, damaged, newer than the program, read-only, or locked. It is left as it was.
    """
    try:
        parsed = make_url(url)
    except ValueError as error:
        raise CatalogUnusable("the catalog's address is a database URL with a bad port", HINT_URL) from error
    except ArgumentError as error:
        shown = PASSWORD.sub(r"\1***@", url)
        raise CatalogUnusable(f"the catalog's address {shown!r} is no database URL", HINT_URL) from error
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, patience)
    return _open_server(parsed)


def _dump_json(value: Any) -> str:
    """JSON that every database takes: text that is no valid Unicode is escaped, NaN refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _refuse_unknown(standing: Standing, place: str) -> None:
    if standing.foreign:
        raise CatalogUnusable(
            f"{place} is a database of another program: it holds tables, but no catalog",
            "Name another file or database for the catalog.",
        )
    if standing.revision and not standing.current and not migrations.is_known(standing.revision):
        raise CatalogUnusable(
            f"the catalog {place} was written by a newer version of auditor (revision {standing.revision}; "
            f"this one knows up to {migrations.HEAD})",
            "Upgrade auditor, or name another catalog. The catalog was left as it is.",
        )


def _open_server(url: URL) -> Catalog:
    place = url.render_as_string(hide_password=True)

    def explain(error: DBAPIError) -> CatalogUnusable | None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        return CatalogUnusable(f"the catalog {place} cannot be used: {error.orig}", "Is the server up, the name right?")

    try:
        engine = create_engine(url, json_serializer=_dump_json, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise CatalogUnusable(f"no driver for {place}: {error}", "Install the driver's Python package.") from error
    database = Database(engine, explain)
    try:
        with database.explained(), engine.begin() as connection:
            standing = migrations.standing(connection)
            _refuse_unknown(standing, place)
            if not standing.current:
                _upgrade(database, connection, place)
    except BaseException:
        database.close()
        raise
    return Catalog(database)


def _upgrade(database: Database, connection: Connection, place: str) -> None:
    try:
        with database.explained():
            migrations.upgrade(connection)
    except DBAPIError as error:
        raise CatalogUnusable(
            f"the migration of the catalog {place} to revision {migrations.HEAD} failed: {error.orig}",
            "Its tables are not those that auditor made. It was left as it is; name another catalog.",
        ) from error


# SQLite from here on.


def _open_sqlite(url: URL, patience: float) -> Catalog:
    path = _sqlite_path(url)
    place = str(path) if path else "in memory"
    if path:
        _prepare_place(path)
        url = url.set(database=str(path))
    engine = create_engine(url, json_serializer=_dump_json, connect_args={"timeout": patience})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    explain = partial(_explain_sqlite, place=place, patience=patience)
    database = Database(engine, lambda error: explain(error.orig))
    try:
        with database.explained():
            _bring_up_to_date(database, path, place, patience)
    except sqlite3.Error as error:
        database.close()
        raise explain(error) or error from error
    except BaseException:
        database.close()
        raise
    return Catalog(database)


def _sqlite_path(url: URL) -> Path | None:
    """The file; None for a database in memory."""
    if not url.database or url.database == ":memory:":
        return None
    if url.database.startswith("file:"):
        raise CatalogUnusable(f"the catalog's address {url} is an SQLite URI", "Give a plain path: sqlite:////path.db")
    return Path(url.database).expanduser().absolute()


def _prepare_place(path: Path) -> None:
    """Makes the directory. The file itself is only asked about, never opened here.

    POSIX locks belong to the process: closing any descriptor of the file would drop the locks that another connection
    of this process holds (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        exists = path.exists()
    except OSError as error:
        raise CatalogUnusable(
            f"the catalog's directory {path.parent} cannot be used: {error.strerror or error}",
            "Name another place with --catalog or AUDITOR_CATALOG.",
        ) from error
    if exists and not path.is_file():
        raise CatalogUnusable(f"the catalog {path} is a directory", "Name a file.")
    # The directory must be writable too: SQLite keeps its write-ahead log beside the file.
    for needed in (path, path.parent) if exists else (path.parent,):
        if not os.access(needed, os.R_OK | os.W_OK):
            raise CatalogUnusable(
                f"the catalog {path} cannot be written: {needed} is read-only for this user",
                "Change its permissions, or name another place with --catalog or AUDITOR_CATALOG.",
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
        _refuse_unknown(standing, place)
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
                if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
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
            _refuse_unknown(standing, place)
            if standing.current:
                return
            if path and not standing.empty:
                _back_up(path, standing.revision or "base")
            _upgrade(database, connection, place)
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


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explain_sqlite(error: BaseException | None, *, place: str, patience: float) -> CatalogUnusable | None:
    """What an error of the driver means to the user; None for our own bugs (wrong SQL, a broken constraint)."""
    if not isinstance(error, sqlite3.Error):
        return None
    reasons: dict[int, tuple[str, str]] = {
        sqlite3.SQLITE_BUSY: (
            f"is locked: another process has been writing to it for over {patience:g} s",
            "Wait for the other auditor process, or end it.",
        ),
        sqlite3.SQLITE_NOTADB: ("is not an SQLite database, or it is damaged", HINT_RESTORE),
        sqlite3.SQLITE_CORRUPT: (f"is damaged: {error}", HINT_RESTORE),
        sqlite3.SQLITE_FULL: (
            "cannot be written: the disk is full",
            "Make room and try again; nothing stored is lost.",
        ),
        sqlite3.SQLITE_READONLY: ("is read-only", "Name another place with --catalog or AUDITOR_CATALOG."),
        sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that its directory exists and can be written."),
        sqlite3.SQLITE_IOERR: (f"cannot be read or written: {error}", "Check the disk."),
    }
    reason = reasons.get(_primary_code(error))
    if reason is None:
        return None
    return CatalogUnusable(f"the catalog {place} {reason[0]}", reason[1])
