"""Opens a catalog on a database server."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.exc import InterfaceError, OperationalError

from store import migrations
from store.database.database import CatalogUnusable, Database, make_engine, shown
from store.database.explain import explain
from store.database.upgrade import apply_migrations, refuse_unknown


def open_server(url: URL) -> Database:
    """Opens the database, and migrates it where it is older.

    Raises:
        AddressUnusable: the driver is missing, or does not take the URL's options.
        CatalogUnusable: it cannot be reached, is newer than the program, or another program's.
    """
    place = shown(url)

    def reason(error: Exception) -> CatalogUnusable | None:
        if isinstance(error, OperationalError | InterfaceError):
            said = f"the catalog {place} cannot be used: {error.orig}"
            return CatalogUnusable(said, "Is the server up, the name right?")
        return explain(error, place=place)

    engine = make_engine(url, pool_pre_ping=True)
    database = Database(engine, reason)
    try:
        with database.explained(), engine.begin() as connection:
            standing = migrations.standing(connection)
            refuse_unknown(standing, place)
            if not standing.current:
                apply_migrations(database, connection, place)
    except BaseException:
        database.close()
        raise
    return database
