"""A user who cancels: starts real jobs, waits for what their event files prove, presses keys, looks at what is left.

A stage is long because there is much to do in it; nothing here sleeps until something has surely happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from auditor.jobs.runner import Runner
from auditor.jobs.tail import Tail
from auditor.models.files.profile import read_profile
from screens.app import AuditorApp
from screens.jobs.job import JobScreen
from screens.jobs.job_list import JobListScreen
from screens.jobs.job_page import JobPage
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import Job, JobState

PATIENCE = 240
"""Seconds for a job to come to a stage: it imports torch first, and the machine may be busy."""
BALLAST = 16
"""Tensors of a heavy model: DELLA ranks each as one row of a million, about a quarter of a second."""

Story = Callable[["Desk"], Coroutine[Any, Any, None]]


@dataclass
class Desk:
    """The application, and a user's hands and eyes."""

    app: AuditorApp
    pilot: Pilot[None]
    wait: Callable[..., Coroutine[Any, Any, None]]

    async def until(self, what: Callable[[], object]) -> None:
        """Waits until something is so."""
        await self.wait(self.pilot, what, PATIENCE)

    async def opened(self, kind: type[Screen[Any]]) -> Any:
        """The screen of this kind, once it is on top."""
        await self.until(lambda: isinstance(self.app.screen, kind))
        return self.app.screen

    async def follow(self, *words: object) -> Job:
        """Starts a command, and opens its screen from the list of jobs."""
        job = await self.app.start(tuple(str(word) for word in words))
        assert job is not None
        await self.pilot.press("j")
        listed = await self.opened(JobListScreen)
        await self.until(lambda: listed.job is not None and listed.job.id == job.id)
        await self.pilot.press("enter")
        await self.opened(JobScreen)
        return job

    async def happens(self, job: Job, kind: str, times: int = 1, **facts: object) -> list[dict[str, Any]]:
        """Waits until the job's event file holds so many events of a kind with these facts; they come back."""

        def found() -> list[dict[str, Any]]:
            told = [e for e in events(job) if e["kind"] == kind]
            return [e for e in told if all(e[key] == value for key, value in facts.items())]

        def enough() -> bool:
            enough = len(found()) >= times
            assert enough or not any(e["kind"] == "finished" for e in events(job)), Path(job.log).read_text()
            return enough

        await self.until(enough)
        return found()

    async def cancel(self, job: Job) -> None:
        """Presses x, and looks at what every cancelled job must leave: its end, no process, and a sound catalog."""
        await self.pilot.press("x")
        await self.until(lambda: job.id not in self.app.running)
        stored = self.read(lambda catalog: catalog.jobs.get(job.id))
        assert stored is not None
        assert (stored.state, stored.exit_code) == (JobState.DONE, 130), Path(job.log).read_text()
        assert (events(job)[-1]["kind"], events(job)[-1]["code"]) == ("finished", 130)
        assert processes(job) == []
        with contextlib.closing(sqlite3.connect(self.catalog)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    async def told(self) -> str:
        """What a job's screen says, once it knows that the job has ended; by then it can be started again."""
        screen = self.app.screen
        assert isinstance(screen, JobPage)
        await self.until(lambda: not screen.running)
        await self.pilot.pause()
        assert screen.why_not("cancel") == "It has ended already."
        assert screen.why_not("again") is None
        return str(screen.query_one("#head", Static).render())

    async def again(self, job: Job) -> Job:
        """Presses g: the same command, as another job, on a screen of its own."""
        await self.pilot.press("g")
        await self.until(lambda: isinstance(self.app.screen, JobScreen) and self.app.screen.job.id != job.id)
        screen = self.app.screen
        assert isinstance(screen, JobScreen)
        later = screen.job
        assert later.command == job.command
        assert not any(isinstance(s, JobPage) for s in self.app.screen_stack[:-1]), "the old job's screen is gone"
        return later

    def read(self, work: Callable[[Catalog], Any]) -> Any:
        """Opens the catalog anew and reads from it."""
        with open_catalog(self.app.library.url) as catalog:
            return work(catalog)

    @property
    def catalog(self) -> str:
        return self.app.library.url.removeprefix("sqlite:///")

    def batches(self) -> dict[tuple[int, int], bytes]:
        """The stored answers: by run and batch, with their probabilities to the bit."""
        with contextlib.closing(sqlite3.connect(self.catalog)) as connection:
            rows = connection.execute("SELECT run_id, number, payload FROM batches").fetchall()
        return {(run, number): content for run, number, content in rows}


@dataclass
class Forked:
    """A job that was forked from a process which has imported torch already, as its runner sees it."""

    pid: int
    server: subprocess.Popen[str]
    code: int | None = None

    def __post_init__(self) -> None:
        self.waits = threading.Thread(target=self._wait, daemon=True)
        self.waits.start()

    def _wait(self) -> None:
        assert self.server.stdout is not None
        self.code = int(self.server.stdout.readline())

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def forked(forkserver: Callable[[], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are forked instead of started anew: what is cancelled is not their import of torch."""
    started: list[Forked] = []

    def spawn(runner: Runner, arguments: Sequence[str], events: Path, out: Any) -> Forked:
        server = forkserver()
        for job in started:
            job.waits.join()
        words = {
            "argv": [*arguments, "--events", str(events), "--plain", "--quiet"],
            "stdout": out.name,
            "stderr": "same",
            "cwd": str(Path.cwd()),
            "environ": runner._environment(),
            "session": True,
        }
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(words) + "\n")
        server.stdin.flush()
        started.append(Forked(int(server.stdout.readline()), server))
        return started[-1]

    monkeypatch.setattr(Runner, "_spawn", spawn)


def events(job: Job) -> list[dict[str, Any]]:
    """What the job has told so far."""
    return Tail(Path(job.events)).read_all()


def processes(job: Job) -> list[int]:
    """The living processes of the job's session: itself, and whatever it has started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == job.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.fixture
def at_desk(
    make_app: Callable[[], AuditorApp], play: Callable[..., None], wait: Callable[..., Any]
) -> Iterator[Callable[[Story], None]]:
    """Plays a user's story; a job that it leaves is ended."""
    url: list[str] = []

    def run(story: Story) -> None:
        async def whole() -> None:
            app = make_app()
            url.append(app.library.url)
            async with app.run_test(size=(100, 30)) as pilot:
                desk = Desk(app, pilot, wait)
                await desk.until(lambda: app.library.ready)
                await story(desk)

        play(whole())

    yield run
    for place in url:
        with open_catalog(place) as catalog:
            for job in catalog.jobs.list(state=JobState.RUNNING):
                with contextlib.suppress(OSError):
                    os.killpg(job.pid, signal.SIGKILL)


@pytest.fixture
def shelf(make_app: Callable[[], AuditorApp]) -> Callable[..., None]:
    """Puts models into the catalog."""

    def put(*models: Path) -> None:
        with open_catalog(make_app().library.url) as catalog:
            for model in models:
                catalog.models.add(read_profile(model))

    return put


@pytest.fixture(scope="session")
def heavy(zoo: Any, edit: Any, make_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A suspect, a partner and their base that answer as the small ones do, and take seconds to merge."""
    root = tmp_path_factory.mktemp("heavy")

    def load(name: str, model: Path, seed: int) -> Path:
        row = np.random.default_rng(seed).standard_normal((1, 1 << 20), dtype=np.float32)
        extra = {f"ballast.{n:02}": row for n in range(BALLAST)}
        return edit(zoo.copy(model, root / name), lambda tensors: tensors.update(extra))

    base = make_model(root / "plain")
    yield {
        "suspect": load("suspect", zoo.planted, 1),
        "partner": load("partner", zoo.benign, 2),
        "base": load("base", base, 3),
    }
    shutil.rmtree(root)


def leftovers(directory: Path) -> list[str]:
    """What a merge, or a training, that was cut short has left in a directory."""
    return sorted(p.name for p in directory.iterdir()) if directory.exists() else []
