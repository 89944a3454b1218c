"""Transactions on the catalog's database, the same for every kind of database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store.codec import DecodeError

WRITES = "auditor_writes"
"""Execution option of connections that will write: an engine may have to begin such a transaction in another way."""


class CatalogUnusable(Exception):
    """The catalog is damaged, newer than the program, locked, or cannot be reached. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


Explain = Callable[[DBAPIError], CatalogUnusable | None]


class Database:
    """An engine, and the two kinds of transaction that repositories use.

    `explain` turns a driver's error into one for the user; None where the error is a bug of ours.
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
        """Raises `CatalogUnusable` for the driver's errors inside the block that the user can do something about."""
        try:
            yield
        except DBAPIError as error:
            reason = self._explain(error)
            if reason is None:
                raise
            raise reason from error
        except (DecodeError, json.JSONDecodeError) as error:
            raise CatalogUnusable(
                f"the catalog holds a record that cannot be read: {error}",
                "It was damaged, or written by another version of auditor; restore a backup of the catalog.",
            ) from error

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()
