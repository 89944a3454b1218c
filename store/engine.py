"""Opens the catalog at a database URL."""

from __future__ import annotations

import re

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from store.catalog import Catalog
from store.database import AddressUnusable, CatalogUnusable
from store.database.database import HINT_URL
from store.database.server import open_server
from store.database.sqlite import open_sqlite

__all__ = ["BUSY_SECONDS", "AddressUnusable", "CatalogUnusable", "open_catalog"]

BUSY_SECONDS = 30.0
"""How long a connection waits for another process's transaction."""

PASSWORD = re.compile(r"(://[^:/@]*:).*@")


def open_catalog(url: str, *, patience: float = BUSY_SECONDS) -> Catalog:
    """Opens the catalog at a database URL, making it where there is none, and migrating it where it is older.

    Args:
        url: as SQLAlchemy writes it; `sqlite:///` with a path for a file.
        patience: seconds to wait for another process's transaction.

    Raises:
        AddressUnusable: the URL is none, or names a kind of database or an option that cannot be used.
        CatalogUnusable: no such database, damaged, newer than the program, read-only, or locked. It is left as it was.
    """
    try:
        parsed = make_url(url)
    except ValueError as error:
        raise AddressUnusable("the catalog's address is a database URL with a bad port", HINT_URL) from error
    except ArgumentError as error:
        shown = PASSWORD.sub(r"\1***@", url)
        raise AddressUnusable(f"the catalog's address {shown!r} is no database URL", HINT_URL) from error
    if parsed.get_backend_name() == "sqlite":
        return Catalog(open_sqlite(parsed, patience))
    return Catalog(open_server(parsed))
