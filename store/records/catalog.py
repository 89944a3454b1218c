"""What a list of models shows."""

from __future__ import annotations

from dataclasses import dataclass

from store.records.models import Profile
from store.records.scans import Verdict


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model in the catalog, with the figures that a list shows.

    `found_by` is the last scan in which a backdoor was found: no later one takes that back, least of all one that was
    smaller.
    """

    id: int
    name: str
    profile: Profile
    added: str
    tags: tuple[str, ...] = ()
    planted: str | None = None
    last_scan: str | None = None
    last_verdict: Verdict | None = None
    last_scanned: str | None = None
    worst_asr: float | None = None
    cacc: float | None = None
    found_by: str | None = None
