"""Brings a database to the newest revision, or says why it cannot be."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from store import migrations
from store.database.database import CatalogUnusable, Database
from store.migrations import Standing


def refuse_unknown(standing: Standing, place: str) -> None:
    """Raises:
    CatalogUnusable: the database is another program's, or was written by a newer version of this one.
    """
    if standing.foreign:
        raise CatalogUnusable(
            f"{place} is a database of another program: it holds tables, but no catalog",
            "Name another file or database for the catalog.",
        )
    if standing.revision is not None and not standing.current and not migrations.is_known(standing.revision):
        raise CatalogUnusable(
            f"the catalog {place} was written by a newer version of auditor (revision {standing.revision}; "
            f"this one knows up to {migrations.HEAD})",
            "Upgrade auditor, or name another catalog. The catalog was left as it is.",
        )


def apply_migrations(database: Database, connection: Connection, place: str) -> None:
    """Applies all missing migrations inside the connection's transaction.

    Raises:
        CatalogUnusable: one failed; the transaction is to be rolled back.
    """
    try:
        with database.explained():
            migrations.upgrade(connection)
    except DBAPIError as error:
        raise CatalogUnusable(
            f"the migration of the catalog {place} to revision {migrations.HEAD} failed: {error.orig}",
            "Its tables are not those that auditor made. It was left as it is; name another catalog.",
        ) from error
