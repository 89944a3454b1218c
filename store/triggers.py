"""Triggers of the user's own, and found ones: kept with the scans that fired them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from probes.trigger import Trigger
from store import codec
from store.database import Database
from store.tables import TriggerRow

PREFIX = 4
"""The fewest characters by which a trigger is found."""


def keep(session: Session, triggers: Sequence[Trigger], model_digest: str) -> None:
    """Stores triggers; those that are there already are left."""
    for trigger in triggers:
        if session.get(TriggerRow, trigger.digest) is None:
            document = codec.encode(trigger)
            session.add(TriggerRow(digest=trigger.digest, document=document, model_digest=model_digest))
    session.flush()


class Triggers:
    """The stored triggers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, id_or_prefix: str) -> Trigger | None:
        """A trigger by its digest, or by the first 4 or more characters of it where they fit one alone."""
        if len(id_or_prefix) < PREFIX:
            return None
        query = select(TriggerRow.document).where(TriggerRow.digest.startswith(id_or_prefix, autoescape=True))
        with self._database.reading() as session:
            found = session.scalars(query.limit(2)).all()
            return codec.decode(Trigger, found[0]) if len(found) == 1 else None

    def list(self, limit: int | None = None) -> list[Trigger]:
        """The stored triggers in order of their digests."""
        query = select(TriggerRow.document).order_by(TriggerRow.digest).limit(limit)
        with self._database.reading() as session:
            return [codec.decode(Trigger, document) for document in session.scalars(query)]
