"""What the application tells its screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from auditor.jobs.progress import JobProgress
    from store.records import Job


@dataclass
class JobChanged(Message):
    """Something is new of a job: events, its memory in bytes, or its end."""

    job: Job
    progress: JobProgress
    memory: int | None = None

    @property
    def ended(self) -> bool:
        return str(self.job.state) != "running"


@dataclass
class CatalogChanged(Message):
    """Models, scans or audits may have changed."""
