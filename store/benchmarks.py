"""Benchmarks: a model's rows of a task, stored part by part, so that a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import codec
from store.database import Database
from store.records import BenchmarkRow, BenchmarkRun
from store.tables import BenchmarkPartRow, BenchmarkTableRow


class Benchmarks:
    """Runs of benchmarks, finished and under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, key: str, *, model_digest: str, task: str, fresh: bool = False) -> BenchmarkRun:
        """The run of this key with the parts that are scored; a new one where there is none.

        Args:
            key: fixes model, number format, rows, and how they are asked.
            fresh: drop stored rows.
        """
        with self._database.writing() as session:
            row = session.scalar(select(BenchmarkTableRow).where(BenchmarkTableRow.key == key))
            if row is None:
                row = BenchmarkTableRow(key=key, model_digest=model_digest, task=task)
                session.add(row)
                session.flush()
            elif fresh:
                session.execute(delete(BenchmarkPartRow).where(BenchmarkPartRow.benchmark_id == row.id))
            return _run(session, row)

    def find(self, key: str) -> BenchmarkRun | None:
        """The stored run of this key, None where there is none; nothing is changed."""
        with self._database.reading() as session:
            row = session.scalar(select(BenchmarkTableRow).where(BenchmarkTableRow.key == key))
            return None if row is None else _run(session, row)

    def of_model(self, digest: str) -> list[BenchmarkRun]:
        """The runs of a model, the latest first."""
        query = select(BenchmarkTableRow).where(BenchmarkTableRow.model_digest == digest)
        with self._database.reading() as session:
            return [_run(session, row) for row in session.scalars(query.order_by(BenchmarkTableRow.id.desc()))]

    def store_part(self, run_id: int, number: int, rows: Sequence[BenchmarkRow], *, parts: int) -> None:
        """Stores scored rows; they are on disk on return. What was stored first is kept.

        Args:
            parts: how many there are in all.
        """
        try:
            with self._database.writing() as session:
                run = session.get(BenchmarkTableRow, run_id)
                if run is None:
                    raise LookupError(f"no benchmark run with id {run_id} is stored")
                run.parts = parts
                if session.get(BenchmarkPartRow, (run_id, number)) is None:
                    packed = codec.encode(tuple(rows))
                    session.add(BenchmarkPartRow(benchmark_id=run_id, number=number, rows=packed))
        except IntegrityError:
            # A database without one writer at a time: another process was first, and its rows are kept.
            with self._database.reading() as session:
                if session.get(BenchmarkPartRow, (run_id, number)) is None:
                    raise


def _run(session: Session, row: BenchmarkTableRow) -> BenchmarkRun:
    query = select(BenchmarkPartRow).where(BenchmarkPartRow.benchmark_id == row.id).order_by(BenchmarkPartRow.number)
    scored = {part.number: _rows(part.rows, row.id, part.number) for part in session.scalars(query)}
    return BenchmarkRun(row.id, row.key, row.model_digest, row.task, row.parts, scored)


def _rows(document: Any, run_id: int, number: int) -> tuple[BenchmarkRow, ...]:
    try:
        return tuple(BenchmarkRow(r["digest"], {k: _value(v) for k, v in r["values"].items()}) for r in document)
    except (TypeError, KeyError, AttributeError) as error:
        raise codec.DecodeError(f"part {number} of benchmark run {run_id} cannot be read: {error!r}") from error


def _value(value: Any) -> Any:
    """A value of a metric as it was before it became JSON."""
    if isinstance(value, list):
        return tuple(map(_value, value))
    return float(value) if isinstance(value, str) and value in codec.NON_FINITE else value
