"""Jobs as processes: started apart, found again, told from others with the same number, ended for sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from auditor.jobs.runner import START, CannotStart, Runner, Update, _Followed, runs
from auditor.jobs.tail import Tail
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import Job, JobState


@pytest.fixture
def catalog(place: Path) -> Iterator[Catalog]:
    with open_catalog(f"sqlite:///{place / 'catalog.db'}") as opened:
        yield opened


@pytest.fixture
def runner(place: Path) -> Runner:
    return Runner(f"sqlite:///{place / 'catalog.db'}", place / "jobs")


def follow(runner: Runner, catalog: Catalog, job: Job, seconds: float = 60) -> Update:
    """Polls until the job has ended; the update has all of its events."""
    end = time.monotonic() + seconds
    events: tuple[dict[str, Any], ...] = ()
    while time.monotonic() < end:
        for update in runner.poll(catalog):
            if update.job.id == job.id:
                events += update.events
                if update.job.state is not JobState.RUNNING:
                    return replace(update, events=events)
        time.sleep(0.05)
    raise AssertionError("it did not end")


def test_a_job_ends_with_its_exit_code_and_its_log(runner: Runner, catalog: Catalog) -> None:
    job = runner.start(catalog, ("models", "add", "/no/such/model"))
    assert psutil.Process(job.pid).nice() > 0
    assert os.getsid(job.pid) == job.pid
    ended = follow(runner, catalog, job)
    assert ended.job.exit_code == 2
    assert "no/such/model" in Path(job.log).read_text()
    assert runner.poll(catalog) == []


def test_a_usage_error_is_in_the_events(runner: Runner, catalog: Catalog) -> None:
    job = runner.start(catalog, ("scan", "/no/such/model"))
    ended = follow(runner, catalog, job)
    assert ended.job.exit_code == 2
    assert any(e["kind"] == "finished" for e in ended.events)


def test_a_killed_job_is_told_as_killed(runner: Runner, catalog: Catalog) -> None:
    job = runner.start(catalog, ("scan", "/no/such/model"))
    os.kill(job.pid, signal.SIGKILL)
    assert follow(runner, catalog, job).job.exit_code == 137


def test_another_application_finds_the_job_and_its_end(runner: Runner, catalog: Catalog, place: Path) -> None:
    job = runner.start(catalog, ("scan", "/no/such/model"))
    later = Runner(runner.url, place / "jobs")
    (found,) = later.poll(catalog)
    assert found.job.id == job.id
    # Its first parent waits for it, as the system's own process does for an orphan.
    runner._followed[job.id].process.wait(60)  # type: ignore[union-attr]
    ended = follow(later, catalog, job)
    assert (ended.job.state, ended.job.exit_code) == (JobState.DONE, 2)


def test_a_job_that_left_nothing_is_lost(runner: Runner, catalog: Catalog, place: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    job = Job("j1", gone.pid, "2026-01-01T00:00:00+00:00", ("scan", "x"), str(place / "none"), extra={START: "1.0"})
    catalog.jobs.add(job)
    (update,) = runner.poll(catalog)
    assert (update.job.state, update.job.exit_code) == (JobState.LOST, None)


def test_a_job_of_another_machine_runs_until_its_events_say_that_it_ended(
    runner: Runner, catalog: Catalog, place: Path
) -> None:
    events = place / "events.jsonl"
    start = str(psutil.Process().create_time())
    # The number is this process's own: nothing may be sent to it, nor its memory be told.
    job = Job("j1", os.getpid(), "2026-01-01T00:00:00+00:00", ("scan", "x"), str(events), extra={START: start})
    catalog.jobs.add(replace(job, host="elsewhere"))
    (update,) = runner.poll(catalog)
    assert (update.job.state, update.memory) == (JobState.RUNNING, None)
    runner.cancel(update.job)
    assert runner.poll(catalog)[0].job.state is JobState.RUNNING
    events.write_text('{"kind": "finished", "code": 1}\n')
    (update,) = runner.poll(catalog)
    assert (update.job.state, update.job.exit_code) == (JobState.DONE, 1)


def test_another_process_with_the_same_number_is_not_taken_for_the_job(place: Path) -> None:
    mine = Job("j1", os.getpid(), "2026-01-01T00:00:00+00:00", ("scan", "x"), str(place / "none"))
    started = str(psutil.Process().create_time())
    assert runs(replace(mine, extra={START: started}))
    assert not runs(replace(mine, extra={START: str(float(started) - 60)}))
    assert not runs(mine)


def test_cancel_interrupts_and_a_deaf_process_is_killed(
    runner: Runner, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.jobs.runner.TERM_AFTER", 0.2)
    monkeypatch.setattr("auditor.jobs.runner.KILL_AFTER", 0.5)
    deaf = (
        "import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    extra = {START: str(psutil.Process(process.pid).create_time())}
    job = Job("j1", process.pid, "2026-01-01T00:00:00+00:00", ("scan", "x"), "/none", extra=extra)
    catalog.jobs.add(job)
    runner.cancel(job)
    end = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < end:
        runner.poll(catalog)
        time.sleep(0.05)
    assert process.returncode == -signal.SIGKILL


def test_no_place_for_a_jobs_files(place: Path, catalog: Catalog) -> None:
    (place / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot start"):
        Runner("sqlite://", place / "file").start(catalog, ("scan", "x"))
    assert catalog.jobs.list() == []


def small_job(runner: Runner, catalog: Catalog, place: Path) -> tuple[Job, subprocess.Popen[bytes]]:
    """A job of the runner's that waits for its input to close, and then ends as a usage error does."""
    events = place / "events.jsonl"
    words = f"import sys; sys.stdin.read(); open({str(events)!r}, 'w').write('{{\"kind\": \"stage\"}}\\n'); sys.exit(2)"
    process = subprocess.Popen([sys.executable, "-S", "-c", words], stdin=subprocess.PIPE, start_new_session=True)
    extra = {START: str(psutil.Process(process.pid).create_time())}
    job = Job("j1", process.pid, "2026-01-01T00:00:00+00:00", ("scan", "x"), str(events), extra=extra)
    catalog.jobs.add(job)
    runner._followed[job.id] = _Followed(job, Tail(events), process)
    return job, process


def end_quietly(process: subprocess.Popen[bytes]) -> None:
    """Lets it end, and does not wait for it as its parent."""
    assert process.stdin is not None
    process.stdin.close()
    end = time.monotonic() + 30
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.parametrize("noted", [None, 2])
def test_a_job_that_another_window_noted_as_ended_ends_here_too(
    runner: Runner, catalog: Catalog, place: Path, noted: int | None
) -> None:
    """The other window sees the process go before its parent does, and may not know its exit code."""
    job, process = small_job(runner, catalog, place)
    end_quietly(process)
    catalog.jobs.finish(job.id, noted, "2026-01-01T00:00:09+00:00")
    assert catalog.jobs.list(state=JobState.RUNNING) == []
    (update,) = runner.poll(catalog)
    assert (update.job.state, update.job.exit_code) == (JobState.DONE, 2)
    assert [event["kind"] for event in update.events] == ["stage"]
    assert process.returncode == 2
    assert not psutil.pid_exists(job.pid), "no dead child is left behind"
    assert runner.poll(catalog) == []


def test_a_job_that_another_window_took_for_lost_goes_on_here(runner: Runner, catalog: Catalog, place: Path) -> None:
    """As from another machine, where its process is not seen."""
    job, process = small_job(runner, catalog, place)
    catalog.jobs.finish(job.id, None, "2026-01-01T00:00:09+00:00")
    (update,) = runner.poll(catalog)
    assert update.job.state is JobState.RUNNING
    end_quietly(process)
    assert follow(runner, catalog, job).job.exit_code == 2


def test_a_job_that_is_cancelled_after_its_end_elsewhere_ends(runner: Runner, catalog: Catalog, place: Path) -> None:
    job, process = small_job(runner, catalog, place)
    end_quietly(process)
    process.wait()
    catalog.jobs.finish(job.id, 2, "2026-01-01T00:00:09+00:00")
    later = Runner(runner.url, place / "jobs")
    later.cancel(job)
    (update,) = later.poll(catalog)
    assert (update.job.state, update.job.exit_code) == (JobState.DONE, 2)
    assert later.poll(catalog) == []


def test_a_job_whose_row_is_gone_ends(runner: Runner, catalog: Catalog, place: Path) -> None:
    job, process = small_job(runner, catalog, place)
    with catalog._database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM jobs")
    end_quietly(process)
    (update,) = runner.poll(catalog)
    assert (update.job.id, update.job.exit_code) == (job.id, 2)
    assert runner.poll(catalog) == []
