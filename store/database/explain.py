"""What an error of the catalog's database means to the user, and what to do about it."""

from __future__ import annotations

import json
import sqlite3

from store.codec import DecodeError
from store.database.database import CatalogUnusable

HINT_PLACE = "Name another place with --catalog or AUDITOR_CATALOG."
HINT_RESTORE = "Move the file elsewhere, or restore a backup (files ending in .bak beside it). It was left as it is."
HINT_NETWORK = (
    "Does it lie on a network file system? Its locks and shared memory often fail there: name a place on a local disk "
    "with --catalog or AUDITOR_CATALOG, or a database server."
)
HINT_OTHERS = "Wait for the other auditor process, or end it."
HINT_AGAIN = "Give the same command again: what was finished is stored."
HINT_MEMORY = "Close other programs, lower --samples, or use a machine with more memory."
HINT_DISK = "Check the disk and the system's log; then give the same command again."
HINT_VERSION = "It was damaged, or written by another version of auditor; restore a backup of the catalog."

_NETWORK = ("cannot be locked", HINT_NETWORK)
_SHARED = ("cannot be shared between processes, as its write-ahead log needs", HINT_NETWORK)
_MEMORY = ("cannot be read or written: there is not enough memory", HINT_MEMORY)
_DISK = ("cannot be read or written: the disk failed", HINT_DISK)
_DAMAGED = ("is damaged", HINT_RESTORE)

SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_PERM: ("may not be used: the system refused access to it", HINT_PLACE),
    sqlite3.SQLITE_AUTH: ("may not be used: the system refused access to it", HINT_PLACE),
    sqlite3.SQLITE_ABORT: ("was not written: the transaction was broken off", HINT_AGAIN),
    sqlite3.SQLITE_INTERRUPT: ("was not read or written: that was interrupted", HINT_AGAIN),
    sqlite3.SQLITE_LOCKED: ("is locked by another connection", HINT_OTHERS),
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_READONLY: ("is read-only", HINT_PLACE),
    sqlite3.SQLITE_READONLY_DBMOVED: (
        "was moved or deleted while it was in use",
        "Put it back, or give the same command again: it then begins a new catalog.",
    ),
    sqlite3.SQLITE_READONLY_CANTLOCK: _NETWORK,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_IOERR_NOMEM: _MEMORY,
    sqlite3.SQLITE_IOERR_CORRUPTFS: _DAMAGED,
    sqlite3.SQLITE_IOERR_DATA: _DAMAGED,
    sqlite3.SQLITE_IOERR_SHORT_READ: ("is damaged: a part of the file is missing", HINT_RESTORE),
    sqlite3.SQLITE_IOERR_ACCESS: ("may not be used: the system refused access to it", HINT_PLACE),
    sqlite3.SQLITE_IOERR_LOCK: _NETWORK,
    sqlite3.SQLITE_IOERR_RDLOCK: _NETWORK,
    sqlite3.SQLITE_IOERR_UNLOCK: _NETWORK,
    sqlite3.SQLITE_IOERR_BLOCKED: _NETWORK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK: _NETWORK,
    sqlite3.SQLITE_IOERR_SHMLOCK: _SHARED,
    sqlite3.SQLITE_IOERR_SHMMAP: _SHARED,
    sqlite3.SQLITE_IOERR_SHMOPEN: _SHARED,
    sqlite3.SQLITE_IOERR_SHMSIZE: _SHARED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "Make room and try again; nothing stored is lost."),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Check that its directory exists and can be written, and that not too many files are open.",
    ),
    sqlite3.SQLITE_PROTOCOL: _NETWORK,
    sqlite3.SQLITE_SCHEMA: ("was changed by another program meanwhile", HINT_AGAIN),
    sqlite3.SQLITE_TOOBIG: (
        "takes no text or record of this size",
        "Use fewer or shorter rows (--samples, --data), or name a database server with --catalog.",
    ),
    sqlite3.SQLITE_NOLFS: (
        "is larger than this file system allows",
        "Name a place on another file system with --catalog or AUDITOR_CATALOG.",
    ),
    sqlite3.SQLITE_NOTADB: ("is not an SQLite database, or it is damaged", HINT_RESTORE),
}
"""By SQLite's result code: what is wrong, after the catalog's name, and what to do. An extended code (how an input or
output failed) that has no words of its own takes those of its primary code."""


def explain(error: BaseException, *, place: str) -> CatalogUnusable | None:
    """What an error means whatever the database is; None for an internal error.

    Args:
        error: as the driver, or the reading of a record, raised it.
        place: the catalog's name in the message.
    """
    if isinstance(error, DecodeError | json.JSONDecodeError | UnicodeDecodeError):
        return CatalogUnusable(f"the catalog {place} holds a record that cannot be read: {error}", HINT_VERSION)
    if isinstance(error, RecursionError):
        return CatalogUnusable(
            f"the catalog {place} holds a record that cannot be read: it is nested too deeply", HINT_VERSION
        )
    if isinstance(error, MemoryError):
        return CatalogUnusable(f"the catalog {place} {_MEMORY[0]}", HINT_MEMORY)
    if isinstance(error, OverflowError):
        return CatalogUnusable(
            f"the catalog {place} {SQLITE[sqlite3.SQLITE_TOOBIG][0]}", SQLITE[sqlite3.SQLITE_TOOBIG][1]
        )
    return None


def explain_sqlite(error: BaseException, *, place: str, patience: float) -> CatalogUnusable | None:
    """What an error of SQLite's driver means; None for an internal error (wrong SQL, a broken constraint).

    Args:
        error: as the driver raised it.
        place: the catalog's name in the message.
        patience: seconds that were waited for another process's transaction.
    """
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # The driver's own words: it has no code for text that is not UTF-8.
        if "decode to UTF-8" in str(error):
            return CatalogUnusable(f"the catalog {place} is damaged: it holds text that is not UTF-8", HINT_RESTORE)
        return None
    if primary_code(error) == sqlite3.SQLITE_BUSY:
        words = f"is locked: another process has been writing to it for over {patience:g} s"
        return CatalogUnusable(f"the catalog {place} {words}", HINT_OTHERS)
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return CatalogUnusable(f"the catalog {place} lacks a part: {error}", HINT_VERSION)
    found = SQLITE.get(code) or SQLITE.get(primary_code(error))
    if found is None:
        return None
    said = f" ({error})" if found in (_DISK, _DAMAGED, _NETWORK, _SHARED) else ""
    return CatalogUnusable(f"the catalog {place} {found[0]}{said}", found[1])


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without what extends it; 0 where the driver gives none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
