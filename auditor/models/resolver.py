"""From what a user calls a model to its profile: located, and its files read and hashed once a command."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from auditor.models.files.fingerprint import TEMPLATES
from auditor.models.files.profile import read_profile
from auditor.models.hub import Hub
from auditor.models.reference import resolve
from store.catalog import Catalog
from store.records import CatalogEntry, Profile

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Of every file of a directory its name, inode, size, and when its bytes and its inode changed, in nanoseconds."""


class Resolver:
    """The models of one command.

    A profile is remembered for as long as the files in its directory stay what they are, so each weight file is hashed
    once; where one of them is written, moved or replaced meanwhile, the directory is read again. That what is loaded
    later is what was hashed does not hang on it: whoever loads weights compares their digest.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._read: dict[tuple[str, bool], tuple[Stamp, Profile]] = {}
        self._fetched: dict[tuple[str, str | None], tuple[str, str]] = {}
        self._added: set[tuple[str, str, str]] = set()

    def profile(self, reference: str, *, register: bool = True, hash_weights: bool = True) -> Profile:
        """The profile of the model that a reference names; the catalog learns of it.

        With `hash_weights` False the weights' digests are left to a merge, and `register` should be False.

        Raises:
            UsageError, FetchError, ModelError: see `auditor.models.reference.resolve`.
        """
        found = resolve(
            reference, catalogued=self._catalogued, fetch=self._fetch, read=self.read, hash_weights=hash_weights
        )
        mark = (found.ref.digest, found.ref.reference, found.ref.path)
        if register and mark not in self._added:
            self.catalog.models.add(found)
            self._added.add(mark)
        return found

    def read(
        self, path: str | Path, *, reference: str | None = None, revision: str | None = None, hash_weights: bool = True
    ) -> Profile:
        """The profile of a directory; see `auditor.models.files.profile.read_profile`, which raises the same."""
        directory = Path(path).expanduser().resolve()
        stamp = _stamp(directory)
        before, known = self._read.get((str(directory), hash_weights), (None, None))
        if known is None or before != stamp:
            known = read_profile(path, reference=reference, revision=revision, hash_weights=hash_weights)
            self._read[str(directory), hash_weights] = stamp, known
        return replace(known, ref=replace(known.ref, reference=reference or str(path), revision=revision))

    def register(self, path: Path, *, tags: tuple[str, ...] = (), planted: str | None = None) -> CatalogEntry:
        """Adds a model's directory to the catalog."""
        return self.catalog.models.add(self.read(path), tags=tags, planted=planted)

    def _catalogued(self, name: str) -> tuple[str, str, str | None] | None:
        entry = self.catalog.models.find(name)
        return (entry.profile.ref.path, entry.profile.ref.reference, entry.profile.ref.revision) if entry else None

    def _fetch(self, name: str, revision: str | None) -> tuple[str, str]:
        if (name, revision) not in self._fetched:
            self._fetched[name, revision] = Hub().fetch(name, revision)
        return self._fetched[name, revision]


def _stamp(directory: Path) -> Stamp:
    found = []
    for folder in (directory, directory / TEMPLATES):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    # Of a link in the hub's cache, what it points to.
                    is_now = entry.stat()
                    found.append((entry.path, is_now.st_ino, is_now.st_size, is_now.st_mtime_ns, is_now.st_ctime_ns))
    return tuple(sorted(found))
