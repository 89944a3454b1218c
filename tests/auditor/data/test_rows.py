"""Rows on their way to a scan: through pipes, read once, and told in the report as they were read."""

from __future__ import annotations

import gzip
import io
import os
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.data import rows as data
from auditor.data.rows import read_rows, read_texts
from auditor.errors import ExitCode, UsageError
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog

MOOD = ("negative", "positive")


def pipe_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"text,label\ngood,positive\n", "csv, comma"),
        (b"text;label\ngood;positive\n", "csv, semicolon"),
        (b"text\tlabel\ngood\tpositive\n", "tsv, tab"),
        (b'{"text": "good", "label": 1}\n', "JSON"),
        (b'[{"text": "good", "label": 1}]', "JSON, an array"),
        (gzip.compress(b"text,label\ngood,1\n", mtime=0), "csv, comma, gzip"),
        ("text,label\ngood,1\n".encode("utf-16"), "csv, comma, UTF-16"),
    ],
    ids=range(7),
)
def test_standard_input_is_told_by_its_contents(monkeypatch: pytest.MonkeyPatch, content: bytes, words: str) -> None:
    pipe_in(monkeypatch, content)
    corpus = read_rows(DataRequest("-"), MOOD)
    assert [(row.text, row.label) for row in corpus.rows] == [("good", 1)]
    assert corpus.source == "-"
    assert corpus.format.startswith(words)


def test_standard_input_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in(monkeypatch, b"")
    with pytest.raises(UsageError, match="standard-input is empty"):
        read_rows(DataRequest("-"), MOOD)
    pipe_in(monkeypatch, b"text,label\ngood,1\nbad,unsure\n")
    with pytest.raises(UsageError, match=r"standard-input: .*'unsure' \(line 3\)"):
        read_rows(DataRequest("-"), MOOD)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        read_rows(DataRequest("-"), MOOD)


def feed(path: Path, content: bytes, times: int = 1) -> threading.Thread:
    def write() -> None:
        try:
            with path.open("wb") as out:
                for _ in range(times):
                    out.write(content)
        except BrokenPipeError:
            return

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    for name in ("rows.csv", "63"):
        path = tmp_path / name
        os.mkfifo(path)
        thread = feed(path, b"text,label\ngood,1\nbad,0\n")
        assert [row.label for row in read_rows(DataRequest(str(path)), MOOD).rows] == [1, 0]
        thread.join(5)


def test_a_pipe_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PIPE_LIMIT", 3 * data.CHUNK)
    path = tmp_path / "rows.csv"
    os.mkfifo(path)
    thread = feed(path, b"text\n" * 200_000, times=100)
    with pytest.raises(UsageError, match=r"came through rows\.csv, and no end of it"):
        read_rows(DataRequest(str(path)), MOOD)
    thread.join(5)
    assert not thread.is_alive()


def test_texts_of_a_plain_file_are_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("one\u2028still one\n\ntwo\n", encoding="utf-8")
    assert read_texts(str(path)) == ("one\u2028still one", "two")
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_texts(str(path))


def test_a_search_reads_its_rows_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_model: Callable[..., Path]
) -> None:
    pipe_in(monkeypatch, b"text\n" + b"".join(b"film %d\n" % i for i in range(900)))
    with open_catalog(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        session = Session(Settings(catalog="", device="cpu"), catalog)
        request = ScanRequest(str(make_model(tmp_path / "m")), data=DataRequest("-"), samples=100)
        plan = session.plan(request, MergeRequest(search=Budget()))
    assert plan.scan.corpus.records == 900
    assert plan.split.discover


def test_the_command_keeps_that_rows_are_to_be_read_without_labels() -> None:
    words = shlex.split(ScanRequest("m", data=DataRequest("a.csv", label_column="")).command())
    assert words[words.index("--label-column") + 1] == ""


def test_the_report_says_how_the_data_was_read(tmp_path: Path, make_model: Callable[..., Path], auditor: Any) -> None:
    path = tmp_path / "rows.csv"
    rows = "".join(f"{i};film {i} was {word};{label}\n" for i in range(10) for word, label in (("good", 1), ("bad", 0)))
    path.write_text("id;review;label\n" + rows + "20; ;1\n", encoding="utf-8")
    model = make_model(tmp_path / "m")
    done = auditor("scan", model, "--data", path, "--family", "badnet", "--format", "json")
    assert done.code == ExitCode.INCOMPLETE, done.err
    read = done.json["data"]["read"]
    assert read["format"] == "csv, semicolon"
    assert read["columns"] == {"text": "review", "label": "label"}
    assert read["unused"] == ["id"]
    assert (read["records"], read["skipped"]) == (21, 1)
    notes = " | ".join(read["notes"])
    assert all(words in notes for words in ("not by a comma", "1 of 21 records have no text", "not read: 'id'"))
    again = auditor("report", done.json["id"], "--format", "json")
    assert again.json["data"]["read"] == read, "it is stored with the scan"
