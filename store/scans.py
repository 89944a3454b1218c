"""Scans and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.orm import Session

from store import codec
from store.database import Database
from store.records import AsrScore, Scan, Verdict
from store.tables import ModelRow, ScanTableRow, ScoreTableRow

SCORE_ORDERS = ("scanned", "family", "target", "asr", "control", "excess", "p_value")

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


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """What a table shows of a score; `position` is its place in the scan. Rates are fractions."""

    scan_id: str
    model_digest: str
    reference: str
    position: int
    family: str
    variant: str
    group: str
    target: str
    asr: float
    asr_low: float
    asr_high: float
    clean: float
    control: float
    excess: float
    excess_low: float
    excess_high: float
    p_value: float
    detectable: float
    finding: bool
    suspicious: bool
    judged: bool


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
    """Finished scans."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, scan: Scan) -> None:
        """Stores a scan with its scores, and notes it as the last one of the models of its digest if it is.

        A scan of the same id is replaced.
        """
        with self._database.writing() as session:
            session.execute(delete(ScoreTableRow).where(ScoreTableRow.scan_id == scan.id))
            session.merge(_scan_row(scan))
            session.flush()
            session.add_all(_score_row(scan.id, position, score) for position, score in enumerate(scan.scores.asr))
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

    def scores(
        self,
        *,
        scan_id: str | None = None,
        digest: str | None = None,
        family: str | None = None,
        findings: bool = False,
        order: str = "scanned",
        descending: bool = True,
        limit: int = 200,
        offset: int = 0,
    ) -> list[ScoreRow]:
        """A page of scores, for tables that are longer than a screen.

        Args:
            scan_id: of one scan.
            digest: of one model.
            family: of one attack family.
            findings: only those that are findings or suspicious.
            order: one of `SCORE_ORDERS`; `scanned` keeps a scan's own order within it.
            descending: newest or highest first.
            limit: the page's length, after the first `offset`.

        Raises:
            ValueError: no such order.
        """
        key = _score_order(order)
        query = _score_filter(select(*_score_columns()), scan_id, digest, family, findings)
        query = query.order_by(key.desc() if descending else key, ScoreTableRow.scan_id, ScoreTableRow.position)
        with self._database.reading() as session:
            rows = session.execute(query.limit(limit).offset(offset or None)).all()
            return [codec.decode(ScoreRow, row._mapping) for row in rows]

    def count_scores(
        self,
        *,
        scan_id: str | None = None,
        digest: str | None = None,
        family: str | None = None,
        findings: bool = False,
    ) -> int:
        """How many scores `scores` would give in all."""
        query = _score_filter(select(func.count(ScoreTableRow.position)), scan_id, digest, family, findings)
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


def _score_columns() -> tuple[Any, ...]:
    elsewhere: dict[str, Any] = {
        "model_digest": ScanTableRow.model_digest,
        "reference": ScanTableRow.reference,
        "group": ScoreTableRow.group_name.label("group"),
    }
    return tuple(elsewhere[f.name] if f.name in elsewhere else getattr(ScoreTableRow, f.name) for f in fields(ScoreRow))


def _score_order(order: str) -> ColumnElement[Any]:
    if order not in SCORE_ORDERS:
        raise ValueError(f"scores cannot be ordered by {order!r}; known: {', '.join(SCORE_ORDERS)}")
    if order == "scanned":
        return ScanTableRow.finished.expression
    key: ColumnElement[Any] = getattr(ScoreTableRow, order)
    return key


def _score_filter(
    query: Select[Any], scan_id: str | None, digest: str | None, family: str | None, findings: bool
) -> Select[Any]:
    query = query.join_from(ScoreTableRow, ScanTableRow)
    if scan_id is not None:
        query = query.where(ScoreTableRow.scan_id == scan_id)
    if digest is not None:
        query = query.where(ScanTableRow.model_digest == digest)
    if family is not None:
        query = query.where(ScoreTableRow.family == family)
    if findings:
        query = query.where(ScoreTableRow.finding.is_(True) | ScoreTableRow.suspicious.is_(True))
    return query


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


def _score_row(scan_id: str, position: int, score: AsrScore) -> ScoreTableRow:
    low, high = score.rate.interval()
    return ScoreTableRow(
        scan_id=scan_id,
        position=position,
        family=score.family,
        variant=score.variant,
        group_name=score.group,
        target=score.target,
        asr=score.rate.value,
        asr_low=low,
        asr_high=high,
        clean=score.clean.value,
        control=score.control.value,
        excess=score.excess.value,
        excess_low=score.excess.low,
        excess_high=score.excess.high,
        p_value=score.p_value,
        detectable=score.detectable,
        finding=score.finding,
        suspicious=score.suspicious,
        judged=score.judged,
    )
