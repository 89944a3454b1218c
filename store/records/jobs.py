"""Commands that run in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. LOST: its process is gone and left no exit code."""

    RUNNING = "running"
    DONE = "done"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Job:
    """A command started in the background: its process, command line, event file and exit code.

    `host` is the name of the machine that it runs on, whose process table alone tells of it; empty where it was not
    noted.
    """

    id: str
    pid: int
    started: str
    command: tuple[str, ...]
    events: str
    state: JobState = JobState.RUNNING
    exit_code: int | None = None
    finished: str | None = None
    subject: str = ""
    log: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
