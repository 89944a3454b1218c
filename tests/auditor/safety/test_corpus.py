"""Harmful and honest folders: nothing runs, nothing is missed, nothing honest is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.safety.inspect import inspect_files
from store.records import FileReport
from tests.auditor.safety.folders import BENIGN, CATASTROPHE, MALICIOUS, MARK, honest, spelling, write_json


def seen(place: Path) -> FileReport:
    steps = inspect_files(place)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: FileReport = end.value
            return report


def told(report: FileReport) -> list[tuple[str, str, str]]:
    return [(c.rule, c.file, c.message) for c in report.checks if c.outcome != "passed"]


def test_there_are_as_many_as_were_promised() -> None:
    assert len(MALICIOUS) >= 40
    assert len(BENIGN) >= 20


@pytest.mark.parametrize("name", MALICIOUS)
def test_nothing_harmful_runs_or_is_missed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "it-ran"
    monkeypatch.setenv(MARK, str(mark))
    place = tmp_path / "model"
    MALICIOUS[name](place)
    report = seen(place)
    assert not mark.exists()
    assert told(report), name


@pytest.mark.parametrize("name", BENIGN)
def test_nothing_honest_is_told(name: str, tmp_path: Path) -> None:
    place = tmp_path / "model"
    BENIGN[name](place)
    report = seen(place)
    assert told(report) == []
    assert {c.file for c in report.checks} == set(report.files)


def test_a_pattern_that_goes_back_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.safety.tokenizing.CPU_SECONDS", 2)
    write_json(honest(tmp_path / "model") / "tokenizer.json", spelling(pre_tokenizer=CATASTROPHE))
    outcomes = {c.rule: c for c in seen(tmp_path / "model").checks if c.outcome != "passed"}
    assert outcomes["tokenizer"].outcome == "found"
    assert "go back without end" in outcomes["tokenizer"].message


def test_what_is_called_what(tmp_path: Path) -> None:
    for name, rule, severity in (
        ("torch archive", "pickles", "critical"),
        ("unknown class", "pickles", "medium"),
        ("overlap", "headers", "high"),
        ("two sets of weights", "weight_sets", "high"),
        ("template that leaves its sandbox", "chat_template", "critical"),
        ("rule that replaces a word", "tokenizer", "high"),
        ("dead layer", "weights", "medium"),
        ("link out of the folder", "links", "high"),
    ):
        place = tmp_path / name
        MALICIOUS[name](place)
        worst = next(c for c in seen(place).checks if c.rule == rule)
        assert (worst.outcome != "passed", str(worst.severity)) == (True, severity), (name, worst)
    for name in ("7z", "rar", "bytes of no kind", "opcode that is none behind the call"):
        place = tmp_path / name
        MALICIOUS[name](place)
        assert json.dumps(told(seen(place)))
        assert name.startswith("opcode") or any(c.outcome == "unreadable" for c in seen(place).checks)
