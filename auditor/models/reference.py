"""Model references as users write them: `PATH`, `org/name[@revision]`, or the name or id of a catalogued model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from auditor.errors import FetchError, ModelError, UsageError
from auditor.models.files.profile import read_profile
from store.records import Profile

# The hub's own rule: letters, digits, `-`, `_` and `.`; a revision may be a branch with slashes.
_HUB = re.compile(r"(?P<name>[\w.-]{1,96}/[\w.-]{1,96}|[\w.-]{1,96})(?:@(?P<revision>[\w./-]+))?", re.ASCII)


class Kind(StrEnum):
    """Where a reference points."""

    PATH = "path"
    HUB = "hub"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. `forced` says that a prefix settled its kind; `revision` is set for the hub alone."""

    kind: Kind
    value: str
    revision: str | None = None
    forced: bool = False


Catalogued = Callable[[str], "tuple[str, str, str | None] | None"]
"""Looks a name or id up in the catalog: path, reference and revision, or None."""
Fetch = Callable[[str, "str | None"], "tuple[str, str]"]
"""Fetches a hub model: name and revision to local directory and commit."""


class Read(Protocol):
    """Reads a directory's profile, as `auditor.models.files.profile.read_profile` does."""

    def __call__(
        self, path: str | Path, *, reference: str | None = None, revision: str | None = None, hash_weights: bool = True
    ) -> Profile: ...


def parse(text: str) -> Reference:
    """Parses a reference. A path that exists wins over a hub name; `hub:` and `path:` force one.

    Raises:
        UsageError: empty, or `hub:` before something that is no hub name.
    """
    text = text.strip()
    prefix, _, rest = text.partition(":")
    if prefix == "path" and rest:
        return Reference(Kind.PATH, rest, forced=True)
    if prefix == "hub":
        hub = _HUB.fullmatch(rest)
        if not hub:
            raise UsageError(
                f"{rest!r} is no name on the Hugging Face Hub", hint="Write hub:org/name or hub:org/name@revision."
            )
        return Reference(Kind.HUB, hub["name"], hub["revision"], forced=True)
    if not text:
        raise UsageError("the model reference is empty", hint=_KNOWN)
    if _exists(text) or text.startswith((".", "~", "/")):
        return Reference(Kind.PATH, text)
    hub = _HUB.fullmatch(text)
    if hub and "/" in hub["name"]:
        return Reference(Kind.HUB, hub["name"], hub["revision"])
    return Reference(Kind.NAME, text)


def resolve(
    text: str,
    *,
    catalogued: Catalogued,
    fetch: Fetch | None = None,
    read: Read = read_profile,
    hash_weights: bool = True,
) -> Profile:
    """The profile of the model that a reference names.

    Args:
        text: as the user wrote it.
        catalogued: looks in the catalog.
        fetch: fetches from the hub; None where the hub is not to be asked.
        read: reads the directory that was found.
        hash_weights: see `auditor.models.files.profile.read_profile`.

    Raises:
        UsageError: nothing by that name, or a directory that holds no model.
        FetchError: the hub was not to be reached.
        ModelError: the model's files are damaged or refused.
    """
    found = locate(text, catalogued=catalogued, fetch=fetch)
    try:
        return read(found.path, reference=found.reference, revision=found.revision, hash_weights=hash_weights)
    except UsageError as error:
        if not found.fetched:
            raise
        # The name was right: it is the repository that holds no model.
        commit = (found.revision or "")[:12]
        raise ModelError(f"{text} (commit {commit}): {error.message}", hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class Located:
    """Where the files of a model lie, and what it is called; `fetched` from the hub."""

    path: str
    reference: str
    revision: str | None = None
    fetched: bool = False


def locate(text: str, *, catalogued: Catalogued, fetch: Fetch | None = None) -> Located:
    """Where the model that a reference names lies; nothing of it is read.

    Args:
        text, catalogued, fetch: see `resolve`.

    Raises:
        UsageError: nothing by that name.
        FetchError: the hub was not to be reached.
    """
    wanted = parse(text)
    if wanted.kind is Kind.PATH:
        return Located(wanted.value, text)
    if not wanted.forced and (entry := catalogued(text.strip())):
        path, reference, revision = entry
        if not Path(path).exists():
            raise UsageError(
                f"{text} is in the catalog, but its directory is gone: {path}",
                hint=f"Put it back, or forget it with `auditor models remove {text}`.",
            )
        return Located(path, reference, revision)
    if wanted.kind is Kind.NAME:
        raise UsageError(f"there is no directory {text!r} and no model of that name in the catalog", hint=_KNOWN)
    also = "" if wanted.forced else f"there is no directory {text!r} and no such model in the catalog; "
    if fetch is None:
        raise FetchError(f"{also}the Hugging Face Hub is not to be asked", hint=_KNOWN)
    try:
        path, commit = fetch(wanted.value, wanted.revision)
    except (UsageError, FetchError) as error:
        raise type(error)(f"{also}{error.message}", hint=error.hint) from error
    return Located(path, text, commit, fetched=True)


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


_KNOWN = "A model is a directory, org/name on the Hugging Face Hub, or a name or id from `auditor models list`."
