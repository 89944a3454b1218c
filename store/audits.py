"""Audits and merges."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, ScalarSelect, select
from sqlalchemy.orm import Session

from store import codec
from store.database import Database
from store.records import Audit, Merge, Stamp
from store.tables import AuditRow, MergeRow

PREFIX = 4
"""The fewest characters by which an id is found."""


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What a list shows of an audit. `model_digest` and `reference` are the suspect's."""

    id: str
    model_digest: str
    reference: str
    stamp: Stamp | None
    started: str
    finished: str


def stamp_of(digest: ColumnElement[str]) -> ScalarSelect[str | None]:
    """In a query, the stamp of the last audit that made the model of a digest; NULL where none gave one."""
    return (
        select(AuditRow.stamp)
        .where(AuditRow.made == digest, AuditRow.stamp.is_not(None))
        .order_by(AuditRow.finished.desc(), AuditRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def stamps(session: Session, digests: Collection[str]) -> dict[str, Stamp]:
    """By digest, the stamp of the last audit that made the model; see `stamp_of`."""
    query = select(AuditRow.made, AuditRow.stamp).where(AuditRow.made.in_(digests))
    found = session.execute(query.order_by(AuditRow.finished, AuditRow.id)).all()
    return {made: Stamp(stamp) for made, stamp in found if made is not None and stamp is not None}


class Audits:
    """Finished audits, and the merges that were made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, audit: Audit) -> None:
        """Stores an audit; one of the same id is replaced. Its scans and its merge are saved by themselves."""
        row = AuditRow(
            id=audit.id,
            model_digest=audit.before.model.digest,
            reference=audit.before.model.reference,
            stamp=None if audit.stamp is None else str(audit.stamp),
            started=audit.started,
            finished=audit.finished,
            made=None if audit.after is None else audit.after.model.digest,
            document=codec.encode(audit),
        )
        with self._database.writing() as session:
            session.merge(row)

    def get(self, id_or_prefix: str) -> Audit | None:
        """An audit by id, or by the first 4 or more characters of it where they fit one alone."""
        with self._database.reading() as session:
            row = session.get(AuditRow, id_or_prefix)
            if row is None and len(id_or_prefix) >= PREFIX:
                near = select(AuditRow).where(AuditRow.id.startswith(id_or_prefix, autoescape=True)).limit(2)
                rows = session.scalars(near).all()
                row = rows[0] if len(rows) == 1 else None
            return None if row is None else codec.decode(Audit, row.document)

    def save_merge(self, merge: Merge) -> None:
        """Stores a merge. The same suspect merged to the same model at the same place again renews the record."""
        with self._database.writing() as session:
            row = session.scalar(
                select(MergeRow).where(
                    MergeRow.digest == merge.digest,
                    MergeRow.suspect_digest == merge.suspect_digest,
                    MergeRow.output == merge.output,
                )
            )
            if row is None:
                row = MergeRow(digest=merge.digest, suspect_digest=merge.suspect_digest, output=merge.output)
                session.add(row)
            row.document = codec.encode(merge)

    def merges(self, digest: str | None = None) -> list[Merge]:
        """Merges, newest first; with a digest, those that made this model or started from it as the suspect."""
        query = select(MergeRow).order_by(MergeRow.id.desc())
        if digest is not None:
            query = query.where((MergeRow.digest == digest) | (MergeRow.suspect_digest == digest))
        with self._database.reading() as session:
            return [codec.decode(Merge, row.document) for row in session.scalars(query)]

    def list(self, digest: str | None = None, limit: int | None = None, offset: int = 0) -> list[AuditSummary]:
        """Audits, newest first; of one suspect where its digest is given."""
        query = select(*(getattr(AuditRow, field.name) for field in fields(AuditSummary)))
        query = query.order_by(AuditRow.finished.desc(), AuditRow.id.desc())
        if digest is not None:
            query = query.where(AuditRow.model_digest == digest)
        with self._database.reading() as session:
            rows = session.execute(query.limit(limit).offset(offset or None)).all()
            return [codec.decode(AuditSummary, row._mapping) for row in rows]
