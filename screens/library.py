"""The catalog for screens: opened and read off the UI's thread, with own short reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from store.catalog import Catalog

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a screen waits for another process's transaction before it says that the catalog is locked."""


class Unavailable(Exception):
    """The catalog cannot be read or written: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Library:
    """A catalog that opens itself at the first use. Only threads of its own touch it."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = url
        self._patience = patience
        self._catalog: Catalog | None = None
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="catalog")

    @property
    def ready(self) -> bool:
        """Whether it stands open."""
        return self._catalog is not None

    async def use(self, work: Callable[[Catalog], T]) -> T:
        """Runs a short piece of work with the catalog in a thread, and gives back what it gives.

        Raises:
            Unavailable: the catalog is locked, damaged, newer than the program, or cannot be reached.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, work)

    async def aside(self, work: Callable[[], T]) -> T:
        """Runs other work that may wait for a disk in a thread of the same pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Closes it once the work under way is done."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None

    def _run(self, work: Callable[[Catalog], T]) -> T:
        # SQLAlchemy and the records load in this thread: the first frame does not wait for them.
        from store.database import CatalogUnusable

        try:
            return work(self._open())
        except CatalogUnusable as error:
            raise Unavailable(error.message, error.hint) from error

    def _open(self) -> Catalog:
        from store.engine import open_catalog

        with self._lock:
            if self._catalog is None:
                self._catalog = open_catalog(self.url, patience=self._patience)
            return self._catalog
