"""What was seen in the files of models."""

from __future__ import annotations

from store import codec
from store.database import Database
from store.records import FileReport
from store.tables import FilesRow


class Files:
    """The stored reports of files: the last one of each model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, model_digest: str, examined: str, report: FileReport) -> None:
        """Stores a report; an earlier one of the same model is replaced.

        Args:
            model_digest: of the model, else of all its files.
            examined: when (UTC, ISO 8601).
        """
        with self._database.writing() as session:
            session.merge(FilesRow(model_digest=model_digest, examined=examined, document=codec.encode(report)))

    def get(self, model_digest: str) -> FileReport | None:
        """The last report of a model; None where its files were not looked at."""
        with self._database.reading() as session:
            row = session.get(FilesRow, model_digest)
            return None if row is None else codec.decode(FileReport, row.document)
