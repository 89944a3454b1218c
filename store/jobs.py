"""Commands started in the background."""

from __future__ import annotations

from sqlalchemy import func, select

from store import codec
from store.database import Database
from store.records import Job, JobState
from store.tables import JobRow


class UnknownJob(LookupError):
    """No job of this id is stored."""


class Jobs:
    """The jobs table. Whether a job's process still runs is for the reader to find out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job) -> None:
        """Stores a job; one of the same id is replaced."""
        with self._database.writing() as session:
            session.merge(JobRow(**codec.encode(job)))

    def finish(self, job_id: str, exit_code: int | None, when: str) -> None:
        """Notes a job's end. Without an exit code it is lost; a job that is done stays as it is.

        Raises:
            UnknownJob: no such job.
        """
        with self._database.writing() as session:
            row = session.get(JobRow, job_id)
            if row is None:
                raise UnknownJob(f"no job with id {job_id!r} is stored")
            if row.state == JobState.DONE:
                return
            row.state = str(JobState.LOST if exit_code is None else JobState.DONE)
            row.exit_code, row.finished = exit_code, when

    def get(self, job_id: str) -> Job | None:
        """The job of this id."""
        with self._database.reading() as session:
            row = session.get(JobRow, job_id)
            return None if row is None else _job(row)

    def list(self, limit: int | None = None, *, state: JobState | None = None, offset: int = 0) -> list[Job]:
        """Jobs, newest first; those of one state where it is given."""
        query = select(JobRow).order_by(JobRow.started.desc(), JobRow.id.desc()).limit(limit).offset(offset or None)
        if state is not None:
            query = query.where(JobRow.state == str(state))
        with self._database.reading() as session:
            return [_job(row) for row in session.scalars(query)]

    def count(self) -> int:
        """How many jobs are stored."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(JobRow)) or 0


def _job(row: JobRow) -> Job:
    return codec.decode(Job, {column.name: getattr(row, column.name) for column in JobRow.__table__.columns})
