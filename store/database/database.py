"""Engines and transactions, the same for every kind of database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

HINT_URL = "Name a database, for example sqlite:////home/me/catalog.db or postgresql+psycopg://user@host/name."

WRITES = "auditor_writes"
"""Execution option of connections that will write: an engine may have to begin such a transaction in another way."""


class CatalogUnusable(Exception):
    """The catalog is damaged, newer than the program, locked, or cannot be reached. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class AddressUnusable(CatalogUnusable):
    """The catalog's address names no database that could be opened: the address is wrong, not the database."""


Explain = Callable[[Exception], CatalogUnusable | None]


class Database:
    """An engine, and the two kinds of transaction that repositories use.

    `explain` turns an error of the driver, or of reading a record, into one for the user; None where it is a
    mistake of the program.
    """

    def __init__(self, engine: Engine, explain: Explain) -> None:
        self.engine = engine
        self._writers = engine.execution_options(**{WRITES: True})
        self._explain = explain

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, and sees one state of the catalog throughout."""
        with self.explained(), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that may write: it stands, durably, when the block ends, or not at all."""
        with self.explained(), Session(self._writers) as session, session.begin():
            yield session

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raises `CatalogUnusable` for the errors inside the block that the user can do something about."""
        try:
            yield
        except CatalogUnusable:
            raise
        except Exception as error:
            reason = self._explain(error)
            if reason is None:
                raise
            raise reason from error

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def make_engine(url: URL, **options: Any) -> Engine:
    """An engine that has not connected yet.

    Raises:
        AddressUnusable: the driver is missing or of another kind, or does not take the URL's options.
    """
    try:
        engine = create_engine(url, json_serializer=_dump_json, **options)
    except NoSuchModuleError as error:
        raise AddressUnusable(f"no driver for {shown(url)}: there is no such kind of database", HINT_URL) from error
    except ImportError as error:
        raise AddressUnusable(f"no driver for {shown(url)}: {error}", "Install the driver's Python package.") from error
    except (ArgumentError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise AddressUnusable(f"the catalog's address {shown(url)} cannot be used: {said}", HINT_URL) from error
    if engine.dialect.is_async:
        raise AddressUnusable(
            f"the catalog's address {shown(url)} names an asynchronous driver, which cannot be used",
            "Name another driver, for example postgresql+psycopg.",
        )
    return engine


def shown(url: URL) -> str:
    """The URL as a message may show it: without its password."""
    return url.render_as_string(hide_password=True)


def _dump_json(value: Any) -> str:
    """JSON that every database takes: text that is no valid Unicode is escaped, NaN refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
