"""A model's folder as its checks see it: every file with its beginning, each opened within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.cache import REPOSITORY
from auditor.models.files.untrusted import read_json
from auditor.safety.kinds import HEAD, Kind, kind_of
from probes.reading import open_regular

MOST_FILES = 10_000
MOST_DEPTH = 8
LEFT_OUT = frozenset({".git", ".cache"})
"""Folders of the programs that fetch models, which no loader looks into."""


@dataclass(frozen=True)
class Entry:
    """A file: its name within the folder (with slashes), where it lies, and its size.

    `irregular` says what else it is; `away` that it is a link out of the folder.
    """

    name: str
    path: Path
    size: int
    irregular: str = ""
    away: str = ""

    def open(self) -> BufferedReader:
        """Raises:
        OSError: see `probes.reading.open_regular`.
        """
        return open_regular(self.path)

    @cached_property
    def head(self) -> bytes:
        """The first bytes; none where it cannot be read."""
        if self.irregular:
            return b""
        try:
            with self.open() as file:
                return file.read(HEAD)
        except OSError:
            return b""

    @cached_property
    def kind(self) -> Kind:
        return kind_of(self.name, self.head)

    @property
    def last(self) -> str:
        return self.name.rpartition("/")[2]


@dataclass
class Folder:
    """All files of a model. `left_out` are what there was too much of, as sentences."""

    root: Path
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()
    numbers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """By file, what the one pass over the weights saw (`auditor.safety.streaming`)."""
    _read: dict[str, dict[str, Any]] = field(default_factory=dict)

    def named(self, name: str) -> Entry | None:
        """The file of this name; None where there is none, or none that can be read."""
        return next((e for e in self.entries if e.name == name and not e.irregular), None)

    def of(self, *kinds: Kind) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind in kinds)

    def json(self, name: str) -> Mapping[str, Any]:
        """A JSON file's object; empty where there is none, or none that is sound (`texts` says so)."""
        if name not in self._read:
            entry = self.named(name)
            try:
                self._read[name] = read_json(entry.path) if entry else {}
            except ModelError:
                self._read[name] = {}
        return self._read[name]


def read_folder(path: Path) -> Folder:
    """Lists a folder, or a single file as a folder of one.

    Raises:
        ModelError: it cannot be listed.
    """
    root = path.resolve()
    if not root.is_dir():
        return Folder(root.parent, (_entry(root.parent, root, root.name),))
    found: list[Entry] = []
    left: list[str] = []
    try:
        _walk(root, root, "", found, left, 0)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    return Folder(root, tuple(sorted(found, key=lambda e: e.name)), tuple(left))


def _walk(root: Path, folder: Path, prefix: str, found: list[Entry], left: list[str], depth: int) -> None:
    with os.scandir(folder) as inside:
        for item in sorted(inside, key=lambda i: i.name):
            name = f"{prefix}{item.name}"
            if len(found) >= MOST_FILES:
                left.append(f"more than {MOST_FILES:,} files: those after {name} were not looked at")
                return
            if item.is_dir(follow_symlinks=False):
                if item.name in LEFT_OUT:
                    continue
                if depth >= MOST_DEPTH:
                    left.append(f"{name} lies more than {MOST_DEPTH} folders down, and was not looked into")
                    continue
                _walk(root, Path(item.path), f"{name}/", found, left, depth + 1)
            else:
                found.append(_entry(root, Path(item.path), name))


def _entry(root: Path, path: Path, name: str) -> Entry:
    away = _away(root, path) if path.is_symlink() else ""
    try:
        is_now = path.stat()
    except OSError as error:
        return Entry(
            name, path, 0, f"a link to nowhere ({error.strerror})" if path.is_symlink() else "unreadable", away
        )
    if stat.S_ISDIR(is_now.st_mode):
        return Entry(name, path, 0, "a link to a folder", away)
    if not stat.S_ISREG(is_now.st_mode):
        return Entry(name, path, 0, "a pipe, a socket or a device", away)
    return Entry(name, path, is_now.st_size, "", away)


def _away(root: Path, path: Path) -> str:
    """Where a link leads, if that is out of the folder; the hub's cache keeps what is in a snapshot beside it."""
    target = path.resolve()
    if target.is_relative_to(root):
        return ""
    repository = next((p for p in root.parents if p.name.startswith(REPOSITORY)), None)
    return "" if repository is not None and target.is_relative_to(repository) else str(target)
