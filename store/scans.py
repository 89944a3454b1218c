"""Finished scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store import codec
from store.database import Database
from store.records import Scan, Verdict
from store.tables import ModelRow, ScanTableRow
from store.triggers import keep

PREFIX = 4
"""The fewest characters by which an id is found."""


@dataclass(frozen=True, slots=True)
class ScanRow:
    """What a list shows of a scan."""

    id: str
    model_digest: str
    reference: str
    suite: str
    verdict: Verdict
    worst_asr: float | None
    cacc: float | None
    started: str
    finished: str


def worst_asr(scan: Scan) -> float | None:
    """The highest ASR among the judged scores; None where none was judged."""
    return max((score.rate.value for score in scan.scores.asr if score.judged), default=None)


def latest_summary(session: Session, digest: str) -> Mapping[str, Any]:
    """The columns of a model's row that tell of the scans of its digest: the last one, and the last with a finding."""
    newest = (
        select(*_summary_columns())
        .where(ScanTableRow.model_digest == digest)
        .order_by(ScanTableRow.finished.desc(), ScanTableRow.id.desc())
        .limit(1)
    )
    latest = session.execute(newest).first()
    if latest is None:
        return dict.fromkeys(("last_scan", "last_verdict", "last_scanned", "worst_asr", "cacc", "found_by"))
    found = session.execute(newest.where(ScanTableRow.verdict == str(Verdict.FOUND))).first()
    return {
        "last_scan": latest.id,
        "last_verdict": latest.verdict,
        "last_scanned": latest.finished,
        "worst_asr": latest.worst_asr,
        "cacc": latest.cacc,
        "found_by": None if found is None else found.id,
    }


class Scans:
    """The stored scans."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, scan: Scan) -> None:
        """Stores a scan with its triggers, and notes it as the last one of the models of its digest if it is.

        A scan of the same id is replaced.
        """
        with self._database.writing() as session:
            session.merge(_scan_row(scan))
            keep(session, scan.triggers, scan.model.digest)
            session.flush()
            summary = latest_summary(session, scan.model.digest)
            session.execute(update(ModelRow).where(ModelRow.digest == scan.model.digest).values(**summary))

    def get(self, id_or_prefix: str) -> Scan | None:
        """A scan by id, or by the first 4 or more characters of it where they fit one alone."""
        with self._database.reading() as session:
            row = session.get(ScanTableRow, id_or_prefix)
            if row is None and len(id_or_prefix) >= PREFIX:
                near = select(ScanTableRow).where(ScanTableRow.id.startswith(id_or_prefix, autoescape=True)).limit(2)
                rows = session.scalars(near).all()
                row = rows[0] if len(rows) == 1 else None
            return None if row is None else codec.decode(Scan, row.document)

    def count(self, digest: str | None = None) -> int:
        """How many scans are stored; of one model where its digest is given."""
        query = select(func.count()).select_from(ScanTableRow)
        if digest is not None:
            query = query.where(ScanTableRow.model_digest == digest)
        with self._database.reading() as session:
            return session.scalar(query) or 0

    def list(self, digest: str | None = None, limit: int | None = None, offset: int = 0) -> list[ScanRow]:
        """Scans, newest first; of one model where its digest is given."""
        query = select(*_summary_columns()).order_by(ScanTableRow.finished.desc(), ScanTableRow.id.desc())
        if digest is not None:
            query = query.where(ScanTableRow.model_digest == digest)
        with self._database.reading() as session:
            rows = session.execute(query.limit(limit).offset(offset or None)).all()
            return [codec.decode(ScanRow, row._mapping) for row in rows]


def _summary_columns() -> tuple[Any, ...]:
    return tuple(getattr(ScanTableRow, field.name) for field in fields(ScanRow))


def _scan_row(scan: Scan) -> ScanTableRow:
    return ScanTableRow(
        id=scan.id,
        model_digest=scan.model.digest,
        reference=scan.model.reference,
        suite=scan.settings.suite,
        verdict=str(scan.verdict),
        worst_asr=worst_asr(scan),
        cacc=None if scan.scores.cacc is None else scan.scores.cacc.value,
        started=scan.started,
        finished=scan.finished,
        document=codec.encode(scan),
    )
