"""Commands that are cut short: interrupted, their output closed, their disk full, their device not there."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.auditor.conftest import BOTH
from tests.conftest import Auditor, Zoo


def test_an_output_that_cannot_be_written_is_incomplete_and_stays_stored(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor.start("scan", zoo.benign, "--data", zoo.data, *BOTH, stdout="/dev/full").wait()
    assert done.code == 3
    assert "disk is full" in done.err
    assert "Traceback" not in done.err
    (line,) = auditor("report", "--list").out.splitlines()
    assert "nothing-found" in line


def test_a_device_is_written_and_not_replaced(zoo: Zoo, auditor: Auditor) -> None:
    pipe = auditor.home / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert auditor("report", "--list", "-o", pipe).code == 0
        assert b"nothing is stored" in os.read(reader, 10_000)
        assert pipe.is_fifo()
    finally:
        os.close(reader)
    real = auditor.home / "real.txt"
    (auditor.home / "link.txt").symlink_to(real)
    assert auditor("report", "--list", "-o", auditor.home / "link.txt").code == 0
    assert (auditor.home / "link.txt").is_symlink()
    assert real.read_text()


@pytest.mark.parametrize("words", [["report", "--list"], ["--help"], ["scan", "--help"]])
def test_a_closed_stdout_ends_with_141(auditor: Auditor, words: list[str]) -> None:
    done = auditor.start(*words, stdout="broken").wait()
    assert done.code == 141
    assert done.err == ""


def test_streams_that_are_gone_are_no_bug(zoo: Zoo, auditor: Auditor) -> None:
    assert auditor.start("report", "--list", stdout="none").wait().code == 141
    assert auditor.start("scan", "nosuchmodel", stderr="none").wait().code == 2
    scan = ["scan", zoo.benign, "--data", zoo.data, "--format", "json", *BOTH]
    assert auditor.start(*scan, stderr="broken").wait().code == 141


def test_names_that_are_no_text_are_no_bug(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("scan", auditor.home / os.fsdecode(b"caf\xe9"), "--events", auditor.home / "e.jsonl")
    assert done.code == 2
    first, last = [json.loads(line) for line in (auditor.home / "e.jsonl").read_text().splitlines()]
    assert (first["kind"], last["code"]) == ("started", 2)


def test_a_full_disk_is_said_and_what_was_stored_stays(zoo: Zoo, auditor: Auditor, large: Path) -> None:
    done = auditor.start("scan", zoo.planted, "--data", large, *BOTH, file_limit=150_000).wait()
    assert done.code == 3, done.err
    assert "Traceback" not in done.err
    assert "auditor:" in done.err
    done = auditor("scan", zoo.planted, "--data", large, *BOTH, "--quiet", "--format", "json")
    assert (done.code, done.json["verdict"]) == (1, "backdoor-found"), done.err


def batches(events: Path) -> int:
    return events.read_text().count('"batch-answered"') if events.exists() else 0


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupted_scan_says_so_and_goes_on(
    zoo: Zoo, auditor: Auditor, large: Path, number: signal.Signals, code: int, word: str
) -> None:
    events = auditor.home / "events.jsonl"
    running = auditor.start("scan", zoo.planted, "--data", large, *BOTH, "--events", events)
    deadline = time.monotonic() + 60
    while batches(events) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send(number)
    done = running.wait()
    assert done.code == code, done.err
    assert word in done.err
    assert "continue from there" in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    last = json.loads(events.read_text().splitlines()[-1])
    assert (last["kind"], last["code"]) == ("finished", code)
    stored = batches(events)
    again = auditor("scan", zoo.planted, "--data", large, *BOTH, "--events", events, "--quiet")
    assert again.code == 1, again.err
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    opened = [line for line in lines if line["kind"] == "run-opened"]
    assert opened[0]["resumed"] >= stored
    # Of every run, the look at alternatives as well, what was missing was asked, and nothing else.
    for run in opened:
        answered = [line for line in lines if line["kind"] == "batch-answered" and line["run"] == run["run"]]
        assert len(answered) == run["batches"] - run["resumed"]
