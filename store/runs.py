"""Runs: a model's answers to a plan, stored batch by batch, and the rows that plans are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from probes.input import Chat, Message, Row
from store import codec, payload
from store.database import Database
from store.records import AnswerBatch, Run
from store.tables import BatchRow, RowSetRow, RunRow


@dataclass(frozen=True)
class _StoredChat:
    """What stands in a text's place where a row holds a chat."""

    messages: tuple[Message, ...]
    expected: str | None = None
    kind: str = ""


_PACKED_ROWS = tuple[tuple[int, str | _StoredChat, str | None, int | None], ...]


class UnknownRun(LookupError):
    """No run of this id is stored."""


class Runs:
    """Runs, finished and under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_run(self, key: str, *, model_digest: str, batches: int, fresh: bool = False) -> Run:
        """The run of this key with the batches that are answered, in order; a new one where there is none.

        Answers to a plan of another model or of another number of batches are dropped: they do not fit.

        Args:
            key: fixes model, plan, length, dtype and kind of device.
            model_digest: the model that answers.
            batches: of the plan.
            fresh: drop stored answers.
        """
        with self._database.writing() as session:
            row = session.scalar(select(RunRow).where(RunRow.key == key))
            if row is None:
                row = RunRow(key=key, model_digest=model_digest, batches=batches)
                session.add(row)
                session.flush()
            elif fresh or (row.model_digest, row.batches) != (model_digest, batches):
                session.execute(delete(BatchRow).where(BatchRow.run_id == row.id))
                row.model_digest, row.batches, row.notes = model_digest, batches, None
            return _run(session, row)

    def find_run(self, key: str) -> Run | None:
        """The stored run of this key, None where there is none; nothing is changed."""
        with self._database.reading() as session:
            row = session.scalar(select(RunRow).where(RunRow.key == key))
            return None if row is None else _run(session, row)

    def store_batch(self, run_id: int, batch: AnswerBatch) -> None:
        """Stores a finished batch; it is on disk on return. The first answer to a batch is kept.

        Raises:
            UnknownRun: no such run.
            ValueError: the run has no batch of this number.
        """
        try:
            with self._database.writing() as session:
                run = session.get(RunRow, run_id)
                if run is None:
                    raise UnknownRun(f"no run with id {run_id} is stored")
                if not 0 <= batch.number < run.batches:
                    raise ValueError(f"run {run_id} has {run.batches} batches, none of number {batch.number}")
                if session.get(BatchRow, (run_id, batch.number)) is None:
                    kind, packed = payload.pack(batch.answers)
                    session.add(
                        BatchRow(run_id=run_id, number=batch.number, kind=kind, asks=len(batch.answers), payload=packed)
                    )
        except IntegrityError:
            # A database without one writer at a time: another process was first, and its answer is kept.
            with self._database.reading() as session:
                if session.get(BatchRow, (run_id, batch.number)) is None:
                    raise

    def store_notes(self, run_id: int, notes: Sequence[str]) -> None:
        """Stores what is to be said of how a run's answers were made, beside what is stored already.

        Raises:
            UnknownRun: no such run.
        """
        with self._database.writing() as session:
            run = session.get(RunRow, run_id)
            if run is None:
                raise UnknownRun(f"no run with id {run_id} is stored")
            run.notes = list(dict.fromkeys((*(run.notes or ()), *notes)))

    def keep_rows(self, digest: str, rows: Sequence[Row]) -> None:
        """Stores the rows of a plan under their digest; rows that are there already are left."""
        with self._database.reading() as session:
            if session.get(RowSetRow, digest) is not None:
                return
        with self._database.writing() as session:
            packed = [codec.encode(_packed(row)) for row in rows]
            session.merge(RowSetRow(digest=digest, rows=packed))

    def rows(self, digest: str) -> tuple[Row, ...] | None:
        """The rows of this digest, None where they are not stored."""
        with self._database.reading() as session:
            found = session.get(RowSetRow, digest)
            return None if found is None else tuple(_row(*v) for v in codec.decode(_PACKED_ROWS, found.rows))


def _packed(row: Row) -> tuple[int, str | _StoredChat, str | None, int | None]:
    if isinstance(row.input, Chat):
        return row.index, _StoredChat(row.input.messages, row.expected, row.kind), None, row.label
    return row.index, row.text, row.second, row.label


def _row(index: int, own: str | _StoredChat, second: str | None, label: int | None) -> Row:
    if isinstance(own, _StoredChat):
        return Row(index, Chat(own.messages), label, own.expected, own.kind)
    return Row.of(index, own, second, label)


def _run(session: Session, row: RunRow) -> Run:
    stored = session.scalars(select(BatchRow).where(BatchRow.run_id == row.id).order_by(BatchRow.number))
    answered = tuple(_unpack(batch) for batch in stored)
    return Run(row.id, row.key, row.model_digest, row.batches, answered, tuple(row.notes or ()))


def _unpack(row: BatchRow) -> AnswerBatch:
    try:
        return AnswerBatch(row.number, payload.unpack(row.kind, row.asks, row.payload))
    except codec.DecodeError as error:
        raise codec.DecodeError(f"batch {row.number} of run {row.run_id} cannot be read: {error}") from error
