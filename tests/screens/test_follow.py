"""Event files: followed while they grow, whatever a crash leaves in them; and what they add up to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.jobs.progress import JobProgress
from auditor.jobs.tail import Tail, last_lines
from screens.gallery.seed import live_events
from screens.scan.evidence import describe_seen


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.read() == []
    with path.open("w") as out:
        out.write('{"kind": "stage"}\n{"kind": "prog')
        out.flush()
        assert [e["kind"] for e in tail.read()] == ["stage"]
        out.write('ress"}\nno json\n[1]\n{"kind": "finished", "code": 0}\n')
        out.flush()
        assert [e["kind"] for e in tail.read()] == ["progress", "finished"]
    assert tail.read() == []


def test_a_file_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "stage", "text": "a long first line"}\n')
    tail = Tail(path)
    tail.read()
    path.write_text('{"kind": "x"}\n')
    assert tail.read() == [{"kind": "x"}]


def test_progress_tells_speed_and_time_left() -> None:
    progress = JobProgress()
    progress.take_all([{"kind": "stage", "name": "probe", "text": "Probing", "total": 100, "unit": "texts"}], 0.0)
    progress.take_all([{"kind": "progress", "done": 10, "total": 100}], 1.0)
    progress.take_all([{"kind": "progress", "done": 50, "total": 100}], 5.0)
    assert progress.share == pytest.approx(0.5)
    assert progress.speed == pytest.approx(10.0)
    assert progress.remaining == pytest.approx(5.0)


def test_interim_counts_give_way_to_the_scan() -> None:
    progress = JobProgress()
    progress.take_all(live_events(), 0.0)
    assert len(progress.interim) == 12
    assert progress.device == "cpu"
    assert progress.warnings == ["12 rows are empty and were left out"]
    progress.take_all([{"kind": "scan-ready", "id": "abc"}, {"kind": "finished", "code": 1, "text": "x"}], 1.0)
    assert (progress.scans, progress.interim, progress.finished) == (["abc"], {}, 1)


def test_the_rescan_shows_the_merged_models_scores_in_place_of_the_suspects() -> None:
    progress = JobProgress()
    progress.take_all(live_events(), 0.0)
    key = ("badnet", "five", "negative")
    (row,) = progress.rows[key]
    words = str(describe_seen([row], "negative"))
    assert "⟦bb⟧ band" in words
    assert "positive 94.2 %  →  negative 61.8 %" in words
    assert "stayed" in str(describe_seen([{**row, "after": "positive"}], "negative"))
    progress.take_all([{"kind": "run-opened", "role": "reference"}], 1.0)
    assert key in progress.rows
    progress.take_all([{"kind": "run-opened", "role": "after"}], 2.0)
    assert (progress.scores, progress.interim, progress.rows) == ({}, {}, {})


def test_events_of_another_version_do_no_harm() -> None:
    progress = JobProgress()
    progress.take_all([{"kind": "new-thing"}, {}, {"kind": "progress"}, {"kind": "score-ready"}], 0.0)
    assert progress.share is None
    progress.take_all([{"kind": "rows-seen", "rows": ["x", {"text": "of another version"}]}], 0.0)
    assert str(describe_seen(progress.rows["", "", ""], "negative")) == ""


def test_the_end_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"\xff" + b"x" * 50_000 + b"\nlast\n")
    assert last_lines(path).endswith("last")
    assert last_lines(tmp_path / "none") == ""
    assert json.dumps(last_lines(path))
