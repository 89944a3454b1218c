"""Starts commands as detached processes, finds them again, follows their events and ends them. No widgets here.

Everything in this file may wait (for a disk, for the catalog), so it is called in threads.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from auditor.jobs.tail import Tail
from auditor.settings import JOB

if TYPE_CHECKING:
    from store.catalog import Catalog
    from store.records import Job

NICE = 10
"""How far a job steps back behind the terminal, as `nice` counts."""
TERM_AFTER, KILL_AFTER = 10.0, 20.0
"""Seconds after the interrupt at which a job that still runs is terminated, and then killed."""
LISTED = 500
START = "process_started"


ANSWER_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a short command said: its exit code, its data, and its last words."""

    code: int
    out: str
    words: str


class CannotStart(Exception):
    """A job could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Update:
    """What is new of a job: events since the last look, its memory in bytes while it runs."""

    job: Job
    events: tuple[dict[str, Any], ...]
    memory: int | None = None


@dataclass(slots=True)
class _Followed:
    job: Job
    """As it was when it was first seen: running."""
    tail: Tail
    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    interrupted: float | None = None
    signals: int = 0


@dataclass(slots=True)
class Runner:
    """The jobs of one catalog. `directory` holds a directory a job: its events and its log."""

    url: str
    directory: Path
    memory: Callable[[Job], int | None] = field(default=lambda job: _memory(job))
    _followed: dict[str, _Followed] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, catalog: Catalog, arguments: Sequence[str], subject: str = "") -> Job:
        """Starts `auditor ARGUMENTS` as a process that outlives this one.

        Raises:
            CannotStart: no process, or no place for its files.
            store.database.CatalogUnusable: the job cannot be noted; its process is ended again.
        """
        from store.records import Job

        job_id = secrets.token_hex(6)
        place = self.directory / job_id
        events, log = place / "events.jsonl", place / "log.txt"
        try:
            place.mkdir(parents=True)
            with log.open("wb") as out:
                process = self._spawn(arguments, events, out)
        except OSError as error:
            raise CannotStart(f"cannot start `auditor {arguments[0]}`: {error}") from error
        job = Job(
            id=job_id,
            pid=process.pid,
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            command=tuple(arguments),
            events=str(events),
            subject=subject,
            log=str(log),
            extra={START: str(_start_time(process.pid))},
            host=platform.node(),
        )
        try:
            catalog.jobs.add(job)
        except BaseException:
            process.terminate()
            raise
        with self._lock:
            self._followed[job.id] = _Followed(job, Tail(events), process)
        return job

    def _spawn(self, arguments: Sequence[str], events: Path, out: Any) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-P", "-m", "auditor", *arguments, "--events", str(events), "--plain", "--quiet"]
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=self._environment(),
        )
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process(process.pid).nice(NICE)
        return process

    def answer(self, arguments: Sequence[str]) -> Answer:
        """Runs a short command that only reads or renders, and waits for it; it is not a job."""
        words = [sys.executable, "-P", "-m", "auditor", *arguments]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ANSWER_SECONDS,
                env=self._environment(),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Answer(70, "", str(error))
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("auditor: ")
        return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), said)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "AUDITOR_CATALOG": self.url, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", JOB: "1"}

    def poll(self, catalog: Catalog) -> list[Update]:
        """Looks at every job that runs, also those that an earlier application or another one started.

        What was followed here and was noted as ended by another application is told once more, as ended.
        """
        from store.records import JobState

        running = catalog.jobs.list(LISTED, state=JobState.RUNNING)
        with self._lock:
            known = {job.id for job in running}
            others = [followed.job for job_id, followed in self._followed.items() if job_id not in known]
        return [self._look(catalog, job) for job in (*running, *others)]

    def _look(self, catalog: Catalog, job: Job) -> Update:
        followed = self._follow(job)
        ended, code = _ended(job, followed)
        # Read after the look at the process: what it wrote before its end is in.
        events = followed.tail.read_all() if ended else followed.tail.read()
        for event in events:
            if event.get("kind") == "finished":
                followed.code = int(event.get("code", 70))
        if not ended and (is_here(job) or followed.code is None):
            self._press(job, followed)
            return Update(job, tuple(events), self.memory(job) if is_here(job) else None)
        final = followed.code if followed.code is not None else code
        stored = self._note_end(catalog, job, final)
        with self._lock:
            self._followed.pop(job.id, None)
        return Update(stored, tuple(events))

    def _follow(self, job: Job) -> _Followed:
        with self._lock:
            return self._followed.setdefault(job.id, _Followed(job, Tail(Path(job.events))))

    def _note_end(self, catalog: Catalog, job: Job, code: int | None) -> Job:
        """Notes a job's end, and gives back what is stored of it: another application may have been first."""
        from store.jobs import UnknownJob
        from store.records import JobState

        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        with contextlib.suppress(UnknownJob):
            catalog.jobs.finish(job.id, code, when)
        ended = JobState.LOST if code is None else JobState.DONE
        return catalog.jobs.get(job.id) or replace(job, state=ended, exit_code=code, finished=when)

    def cancel(self, job: Job) -> None:
        """Interrupts a job as Ctrl-C does; one that does not end is terminated later, then killed.

        A job of another machine is left alone.
        """
        followed = self._follow(job)
        if followed.interrupted is None:
            followed.interrupted = time.monotonic()
            _send(job, signal.SIGINT)

    def _press(self, job: Job, followed: _Followed) -> None:
        if followed.interrupted is None:
            return
        waited = time.monotonic() - followed.interrupted
        if waited >= KILL_AFTER and followed.signals < 2:
            followed.signals = 2
            _send(job, signal.SIGKILL, whole_session=True)
        elif waited >= TERM_AFTER and followed.signals < 1:
            followed.signals = 1
            _send(job, signal.SIGTERM)


def _ended(job: Job, followed: _Followed) -> tuple[bool, int | None]:
    """Whether the process is gone, and its exit code where that is known (128 + N after signal N, as shells say it).

    Of a job of another machine that cannot be seen from here: it has ended once its events say so.
    """
    if followed.process is not None:
        code = followed.process.poll()
        return code is not None, None if code is None else (code if code >= 0 else 128 - code)
    return is_here(job) and not runs(job), None


def is_here(job: Job) -> bool:
    """Whether a job was started on this machine; one that notes no machine is taken to be."""
    return job.host in ("", platform.node())


def runs(job: Job) -> bool:
    """Whether the job's own process lives here; another one that was given the same number is not taken for it."""
    if not is_here(job):
        return False
    try:
        process = psutil.Process(job.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - float(job.extra.get(START, "nan"))) < 1.0)
    except (psutil.Error, ValueError):
        return False


def _start_time(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return float("nan")


def _memory(job: Job) -> int | None:
    try:
        return int(psutil.Process(job.pid).memory_info().rss)
    except psutil.Error:
        return None


def _send(job: Job, number: signal.Signals, *, whole_session: bool = False) -> None:
    if not runs(job):
        return
    with contextlib.suppress(OSError):
        if whole_session:
            os.killpg(job.pid, number)
        else:
            os.kill(job.pid, number)
