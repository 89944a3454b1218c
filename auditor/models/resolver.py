"""From what a user calls a model to its profile: located, and its files read and hashed once a command."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.fingerprint import TEMPLATES
from auditor.models.files.origin import plain_name, same_name
from auditor.models.files.profile import CONFIG, read_profile
from auditor.models.hub import Hub
from auditor.models.reference import Located, locate, resolve
from store.catalog import Catalog
from store.records import CatalogEntry, ModelRef, Profile

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Of a file, or of every file of a directory, its name, inode, size, and when its bytes and its inode changed, in
nanoseconds."""


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

    def profile(
        self, reference: str, *, base: str | None = None, register: bool = True, hash_weights: bool = True
    ) -> Profile:
        """The profile of the model that a reference names; the catalog learns of it.

        An adapter is taken together with its base: the one that is given, the one that it was catalogued with, or the
        one that its adapter_config.json names, where that is a directory here or a catalogued model. Where there is
        none, the profile is the adapter's own.

        Args:
            base: what an adapter stands on; passed over for a whole model.
            register: the catalog learns of the model.
            hash_weights: False leaves the weights' digests to a merge, and adapters to themselves; then `register`
                should be False too.

        Raises:
            UsageError, FetchError, ModelError: see `auditor.models.reference.resolve` and
                `auditor.models.files.adapted.on_base`.
        """
        found = self._alone(reference, hash_weights)
        if hash_weights and is_adapter(found) and (under := self._under(reference, found, base)) is not None:
            found = on_base(found, under)
        mark = (found.ref.digest, found.ref.reference, found.ref.path)
        if register and mark not in self._added:
            self.catalog.models.add(found)
            self._added.add(mark)
        return found

    def locate(self, reference: str) -> Located:
        """Where the files of the model that a reference names lie.

        Raises:
            UsageError, FetchError: see `auditor.models.reference.locate`.
        """
        return locate(reference, catalogued=self._catalogued, fetch=self._fetch)

    def _alone(self, reference: str, hash_weights: bool = True) -> Profile:
        return resolve(
            reference, catalogued=self._catalogued, fetch=self._fetch, read=self.read, hash_weights=hash_weights
        )

    def _under(self, reference: str, adapter: Profile, base: str | None) -> Profile | None:
        """The base of an adapter, None where none is at hand. Only what the user names is fetched."""
        if base is not None:
            return self._alone(base)
        entry = self.catalog.models.find(reference.strip())
        if entry is not None and entry.profile.parts and Path(entry.profile.ref.path) == Path(adapter.ref.path):
            noted = entry.profile.parts[1].ref
            if Path(noted.path).exists():
                return self.read(noted.path, reference=noted.reference, revision=noted.revision)
        stated = adapter.base
        if stated is None:
            return None
        if (Path(stated).expanduser() / CONFIG).is_file():
            return self.read(stated)
        known = self._known(stated)
        return None if known is None else self.read(known.path, reference=known.reference, revision=known.revision)

    def _known(self, name: str) -> ModelRef | None:
        """The catalogued whole model of a name on the hub; None where there are several that differ."""
        found = {
            entry.profile.ref.digest: entry.profile.ref
            for entry in self.catalog.models.list(text=plain_name(name).rpartition("/")[2])
            if entry.profile.ref.revision is not None
            and same_name(entry.profile.ref.reference, name)
            and not is_adapter(entry.profile)
            and not entry.profile.parts
            and Path(entry.profile.ref.path).exists()
        }
        return next(iter(found.values())) if len(found) == 1 else None

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
        """Adds a model's directory to the catalog; an adapter with its base, where that is at hand."""
        return self.catalog.models.add(self.profile(f"path:{path}", register=False), tags=tags, planted=planted)

    def _catalogued(self, name: str) -> tuple[str, str, str | None] | None:
        entry = self.catalog.models.find(name)
        return (entry.profile.ref.path, entry.profile.ref.reference, entry.profile.ref.revision) if entry else None

    def _fetch(self, name: str, revision: str | None) -> tuple[str, str]:
        if (name, revision) not in self._fetched:
            self._fetched[name, revision] = Hub().fetch(name, revision)
        return self._fetched[name, revision]


def _stamp(directory: Path) -> Stamp:
    found = []
    if directory.is_file():
        is_now = directory.stat()
        return ((str(directory), is_now.st_ino, is_now.st_size, is_now.st_mtime_ns, is_now.st_ctime_ns),)
    for folder in (directory, directory / TEMPLATES):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    # Of a link in the hub's cache, what it points to.
                    is_now = entry.stat()
                    found.append((entry.path, is_now.st_ino, is_now.st_size, is_now.st_mtime_ns, is_now.st_ctime_ns))
    return tuple(sorted(found))
