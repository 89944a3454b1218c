"""What a list of models shows."""

from __future__ import annotations

from dataclasses import dataclass

from store.records.audits import Stamp
from store.records.models import Profile
from store.records.scans import Verdict

WORSE: tuple[tuple[Stamp | Verdict | None, ...], ...] = (
    (None, Stamp.NOT_APPLICABLE),
    (Verdict.NOTHING, Stamp.SANITISED),
    (Verdict.INCOMPLETE, Stamp.NOT_JUDGED),
    (Verdict.SUSPICIOUS, Stamp.REPLACED, Stamp.IMPROVED),
    (Verdict.FOUND, Stamp.NOT_SANITISED, Stamp.WORSE),
)
"""What scans and audits say of a model, from what says nothing against it to the worst."""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model in the catalog, with the figures that a list shows.

    `found_by` is the last scan in which a backdoor was found: no later one takes that back, least of all one that was
    smaller. `stamp` is that of the last audit that made the model.
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
    stamp: Stamp | None = None

    @property
    def found_earlier(self) -> bool:
        """Whether an earlier scan than the last one has found a backdoor."""
        return self.found_by is not None and self.found_by != self.last_scan

    @property
    def standing(self) -> Stamp | Verdict | None:
        """What the last scan says of it, or the audit that made it, whichever is worse; the audit where they agree.

        A rescan that finds nothing does not say that nothing is left of a backdoor: the audit measures that.
        """
        return max((self.stamp, self.last_verdict), key=rank)


def rank(said: Stamp | Verdict | None) -> int:
    """How bad what is said of a model is; see `WORSE`."""
    return next(place for place, alike in enumerate(WORSE) if said in alike)
