"""Several processes on one catalog, and processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from probes.answer import Choices
from store.engine import open_catalog
from store.payload import pack
from store.records import AnswerBatch


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answers(number: int) -> AnswerBatch:
    return AnswerBatch(number, Choices(np.array([number % 2, -1]), np.array([[1 / (number + 3), 0.5], [number, 0]])))


WRITER = """
    import sys
    import numpy as np
    from probes.answer import Choices
    from store.engine import open_catalog
    from store.records import AnswerBatch
    catalog = open_catalog(sys.argv[1])
    run = catalog.runs.open_run("key", model_digest="d", batches=100_000)
    for n in range(len(run.answered), 100_000):
        answers = Choices(np.array([n % 2, -1]), np.array([[1 / (n + 3), 0.5], [n, 0]]))
        catalog.runs.store_batch(run.id, AnswerBatch(n, answers))
        print(n, flush=True)
"""


def test_a_killed_process_loses_no_stored_batch(url: str) -> None:
    told = -1
    for milliseconds in (5, 110):
        writer = start(WRITER, url)
        assert writer.stdout is not None
        told = int(writer.stdout.readline())
        time.sleep(milliseconds / 1000)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        finished = [line for line in rest.split("\n")[:-1] if line]
        told = int(finished[-1]) if finished else told
        with open_catalog(url) as catalog:
            run = catalog.runs.open_run("key", model_digest="d", batches=100_000)
        assert len(run.answered) in (told + 1, told + 2), "at most the batch whose storing was not told yet is more"
        assert [(b.number, pack(b.answers)) for b in run.answered] == [
            (n, pack(answers(n).answers)) for n in range(len(run.answered))
        ]


ADDER = """
    import sys
    from dataclasses import replace
    from store.engine import open_catalog
    from store.records import ModelRef, Profile, Task
    who = sys.argv[2]
    profile = Profile(ModelRef("./m", "/x/m", ""), "Bert", "bert", Task.CLASSIFICATION, ("a",), None, 1, "F32", 9, 9,
                      (), "s", "t", {})
    print("ready", flush=True)
    sys.stdin.readline()
    with open_catalog(sys.argv[1]) as catalog:
        for n in range(100):
            catalog.models.add(replace(profile, ref=ModelRef("./m", f"/x/{who}/{n}/m", f"{who}{n}")))
"""


@pytest.mark.timeout(120)
def test_processes_that_read_and_then_write_lose_nothing(url: str, path: Path) -> None:
    """Each of 400 transactions reads the taken names and then writes a free one."""
    workers = [start(ADDER, url, str(who)) for who in range(4)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]
    for worker in workers:
        worker.communicate()
    with open_catalog(url) as catalog:
        names = {entry.name for entry in catalog.models.list()}
    assert names == {"m"} | {f"m-{n}" for n in range(2, 401)}
    assert not list(path.parent.glob("*.bak"))


OPENER = """
    import sys, pathlib
    from store.engine import open_catalog
    for line in sys.stdin:
        with open_catalog(line.strip()) as catalog:
            print(catalog.models.count(), flush=True)
"""


def test_two_processes_make_a_catalog_at_the_same_moment(tmp_path: Path) -> None:
    openers = [start(OPENER) for _ in range(2)]
    for attempt in range(12):
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(f"sqlite:///{tmp_path}/{attempt}/catalog.db\n")
            opener.stdin.flush()
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "0\n", f"attempt {attempt}"
    for opener in openers:
        opener.communicate()
        assert opener.returncode == 0
    assert not list(tmp_path.rglob("*.bak"))
