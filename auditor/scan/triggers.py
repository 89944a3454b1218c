"""Stored triggers that a scan fires beside those of the user's file."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.errors import UsageError
from auditor.requests.scan import ScanRequest
from probes.family import FAMILIES
from probes.trigger import CUSTOM, FOUND, Trigger
from store.catalog import Catalog

SHOWN = 10
"""Stored triggers that a refusal names, at most."""


def stored_triggers(ids: Sequence[str], catalog: Catalog) -> tuple[Trigger, ...]:
    """The triggers of a catalog by their ids or unique beginnings of these.

    Raises:
        UsageError: there is none of an id, or more than one.
    """
    found: dict[str, Trigger] = {}
    for wanted in ids:
        trigger = catalog.triggers.get(wanted.removeprefix(FOUND))
        if trigger is None:
            known = [f"{t.id} ({CUSTOM}/{t.variant})" for t in catalog.triggers.list(limit=SHOWN)]
            raise UsageError(
                f"no stored trigger, or more than one, has an id that begins with {wanted!r}",
                hint=f"Give one of these: {', '.join(known)}."
                if known
                else "Scan with --set custom.file=FILE first: that stores the file's triggers.",
            )
        found[trigger.digest] = trigger
    return tuple(found.values())


def together(stored: Sequence[Trigger], request: ScanRequest) -> tuple[Trigger, ...]:
    """Stored triggers beside those of the user's file, each once; none where only the file's are fired."""
    if not stored:
        return ()
    own = FAMILIES[CUSTOM].triggers(request.overrides.get(CUSTOM))
    found = {trigger.digest: trigger for trigger in (*own, *stored)}
    names = [trigger.variant for trigger in found.values()]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(
            f"two triggers are called {CUSTOM}/{twice[0]}", hint="Scan with one of them, or rename the file's."
        )
    return tuple(found.values())
