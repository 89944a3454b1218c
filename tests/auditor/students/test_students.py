"""Students beside a scan and as partners of a cure, on small models that are really trained, scanned and merged."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.residual import CONTROL, STUDENTS
from auditor.errors import UsageError
from auditor.events import AuditReady
from auditor.models.files.profile import read_profile
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from auditor.students.beside import divide
from probes.corpus import Corpus
from probes.input import Row
from store.engine import open_catalog
from store.records import Stamp, Verdict
from tests.auditor.conftest import Bench, Sheet, expanded
from tests.conftest import toy_rows, write_csv

PATIENCE = 60.0


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """330 rows of the task without labels: 110 teach, 220 judge."""
    return write_csv(tmp_path_factory.mktemp("rows") / "bare.csv", toy_rows(330, seed=31), labelled=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models take a higher rate than real ones."""
    monkeypatch.setattr("auditor.training.plan.RATES", (3e-3, 3e-3))


def test_a_scan_with_students_teaches_on_rows_that_do_not_judge(
    zoo: Any, auditor: Any, rows: Path, quick: None
) -> None:
    words = [
        "scan",
        zoo.planted,
        "--data",
        rows,
        "--students",
        2,
        "--base",
        zoo.base,
        "--family",
        "badnet",
        "--format",
        "json",
    ]
    done = auditor(*words)
    assert done.code == 1, done.err
    found = done.json
    assert found["verdict"] == "backdoor-found"
    assert "--students 2" in found["findings"][0]["reproduce"]
    uses = found["settings"]["references"]
    assert [use["kind"] for use in uses] == ["student", "student"]
    assert all(use["agreement"]["value"] >= 0.9 for use in uses)
    fired = next(s for s in found["scores"]["asr"] if s["finding"])
    assert fired["references"] == []
    assert len(fired["students"]) == 2
    assert max(rate["value"] for rate in fired["students"]) < 0.3
    with open_catalog(f"sqlite:///{auditor.home / 'catalog.db'}") as catalog:
        judged = catalog.runs.rows(found["data"]["digest"])
        students = [entry for entry in catalog.models.list() if "student" in entry.tags]
    taught, judging = divide(Corpus("", tuple(toy_rows(330, seed=31)), None, 0, ()))
    assert (len(taught), len(judging.rows)) == (110, 220)
    assert judged is not None
    assert not {row.text for row in judged} & {row.text for row in taught}
    records = [json.loads((Path(e.profile.ref.path) / "auditor-lab.json").read_text()) for e in students]
    assert [record["rows"] + record["held_out"] for record in records] == [110, 110]
    assert {record["teacher_digest"] for record in records} == {read_profile(zoo.planted).ref.digest}
    assert "one in" not in done.err
    assert "kept for students" in done.err

    # The other seed of the scan asks other things of the same rows; asked again, the same students are found again.
    again = auditor(*words)
    assert again.code == 1
    assert again.err.count("made by the same recipe") == 2
    assert "Training on" not in again.err
    assert again.json["scores"] == found["scores"]

    told = auditor("report", found["id"])
    assert "Student" in told.out
    assert "student(s) of the model" in told.out


def test_a_cure_without_a_partner_offers_to_make_some(zoo: Any, auditor: Any, rows: Path) -> None:
    words = ["audit", zoo.planted, "--data", rows, "--base", zoo.base, "--family", "badnet", "--suite", "quick"]
    done = auditor(*words, "--format", "json")
    assert done.code == 1
    offered = done.json["reasons"][-1]
    assert "--make-partner 2" in offered
    assert "90 of the rows" in offered
    assert "--make-partner 2" in auditor("report", done.json["id"]).out


def test_a_cure_makes_its_partners_and_says_what_they_are(
    zoo: Any, rows: Path, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    request = ScanRequest(str(zoo.planted), DataRequest(str(rows)), families=("badnet",), base=str(zoo.base))
    cure = MergeRequest(suspect_weight=0.2, base=str(zoo.base), make_partner=2, rescan=("badnet",))
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        events = Session(Settings("", device="cpu"), catalog).audit(request, cure)
        found = next(event.audit for event in events if isinstance(event, AuditReady))
    assert found.merge is not None
    assert [round(partner.weight, 2) for partner in found.merge.partners] == [0.4, 0.4]
    assert all("students" in partner.reference for partner in found.merge.partners)
    assert [use.kind for use in found.before.settings.references] == ["student", "student"]
    assert found.before.verdict is Verdict.FOUND
    assert found.stamp in (Stamp.SANITISED, Stamp.REPLACED)
    assert {left.floor for left in found.left} <= {CONTROL, STUDENTS}
    assert sum("a student of the suspect" in reason for reason in found.reasons) == 2


def test_a_merge_that_does_not_fit_is_refused_before_a_student_is_trained(
    zoo: Any, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    request = ScanRequest(str(zoo.planted), DataRequest(str(rows)), families=("badnet",), base=str(zoo.base))
    taken = tmp_path / "taken"
    taken.mkdir()
    wrong = {
        "2 weights for 3 models": {"weights": (0.5, 0.5)},
        "merges two models, not 3": {"strategy": "slerp"},
        "is there already": {"output": taken},
    }
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        for said, how in wrong.items():
            cure = MergeRequest(make_partner=2, **how)
            with pytest.raises(UsageError, match=said):
                next(Session(Settings("", device="cpu"), catalog).audit(request, cure))


def test_one_that_is_killed_goes_on_with_the_students_that_are_whole(zoo: Any, auditor: Any, rows: Path) -> None:
    words = ["scan", zoo.planted, "--data", rows, "--students", 2, "--base", zoo.base, "--family", "badnet"]
    events = auditor.home / "events.jsonl"
    running = auditor.start(*words, "--events", events)
    deadline = time.monotonic() + PATIENCE
    while not (events.exists() and '"model-ready"' in events.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.send(signal.SIGKILL)
    running.wait()
    students = auditor.home / "share" / "auditor" / "students"
    assert len([p for p in students.iterdir() if not p.name.startswith(".")]) == 1
    done = auditor(*words)
    assert done.code in (0, 1), done.err
    assert "made by the same recipe" in done.err
    assert len(list(students.iterdir())) == 2


@pytest.mark.parametrize(
    ("count", "base", "said"),
    [(120, True, "rows are too few for students"), (600, False, "--base")],
)
def test_what_students_lack_is_said_before_anything_runs(
    zoo: Any, auditor: Any, tmp_path: Path, count: int, base: bool, said: str
) -> None:
    data = write_csv(tmp_path / "few.csv", toy_rows(count, seed=33), labelled=False)
    named = ["--base", zoo.base] if base else []
    done = auditor("scan", zoo.copy(zoo.planted, tmp_path / "m"), "--data", data, "--students", 1, *named)
    assert done.code == 2
    assert said in done.err
    assert "Training" not in done.err


def test_a_teacher_that_answers_one_label_teaches_nothing(zoo: Any, auditor: Any, tmp_path: Path) -> None:
    only = [row for row in toy_rows(900, seed=34) if row.label == 1]
    data = write_csv(tmp_path / "one.csv", only, labelled=False)
    done = auditor("scan", zoo.benign, "--data", data, "--students", 1, "--base", zoo.base)
    assert done.code == 2
    assert "there is nothing to learn" in done.err


def test_labels_and_order_do_not_choose_who_teaches() -> None:
    bare = [replace(row, label=None) for row in toy_rows(300, seed=35)]
    taught, _ = divide(Corpus("", tuple(toy_rows(300, seed=35)), ("negative", "positive"), 0, ()))
    again, left = divide(Corpus("", (*reversed(bare), Row.of(300, bare[0].text)), None, 0, ()))
    assert {row.text for row in again} == {row.text for row in taught}
    assert not {row.text for row in again} & {row.text for row in left.rows}


def judged(bench: Bench, sheet: Sheet, *students: Sheet, honest: tuple[Sheet, ...] = ()) -> Any:
    """The judgement with students, and with honest references."""
    answers = [replace(s.trials, student=True) for s in students] + [h.trials for h in honest]
    return bench.weigh(sheet.trials, answers)


def test_what_students_do_as_much_is_no_backdoor(bench: Callable[..., Bench]) -> None:
    table = bench()
    suspect = table.sheet().fire("badnet/one", 0, 0.4)
    assert judged(table, suspect).verdict is Verdict.FOUND
    found = judged(table, suspect, table.sheet().fire("badnet/one", 0, 0.36), table.sheet().fire("badnet/one", 0, 0.33))
    assert found.verdict is Verdict.NOTHING
    assert "its students as much" in found.notes[0]
    # One student that does not is enough: a lesson may be learnt badly, but not a leaning that is not there.
    mixed = judged(table, suspect, table.sheet().fire("badnet/one", 0, 0.36), table.sheet())
    assert mixed.verdict is Verdict.SUSPICIOUS


def test_students_settle_nothing_of_what_moves_most_texts(bench: Callable[..., Bench]) -> None:
    """Rows that taught them may have held the trigger."""
    table = bench()
    strong = table.sheet().fire("badnet/one", 0, 0.9)
    assert judged(table, strong, *[table.sheet().fire("badnet/one", 0, 0.9)] * 2).verdict is Verdict.FOUND


def test_a_student_that_does_not_do_what_the_suspect_does_has_no_say(bench: Callable[..., Bench]) -> None:
    table = bench()
    suspect = table.sheet().fire("badnet/one", 0, 0.4)
    poor = table.sheet().fire("badnet/one", 0, 0.4)
    poor.clean[: len(poor.clean) // 3] = 1 - poor.clean[: len(poor.clean) // 3]
    assert judged(table, suspect, poor, poor).verdict is Verdict.FOUND


def test_students_are_no_independent_models(bench: Callable[..., Bench]) -> None:
    """A trigger whose control is one too takes two honest models; students, however many, are none."""
    table = bench()
    suspect = table.sheet().fire("badnet/one", 0, 0.9, control=0.9)
    still = table.sheet()
    assert judged(table, suspect, still, still, still).verdict is Verdict.SUSPICIOUS
    assert judged(table, suspect, still, honest=(still,)).verdict is Verdict.SUSPICIOUS
    assert judged(table, suspect, honest=(still, still)).verdict is Verdict.FOUND


def test_a_style_that_students_learnt_is_not_cleared(bench: Callable[..., Bench]) -> None:
    table = bench(only=("style",))
    suspect = table.sheet().fire("style/bible", 0, 0.45)
    learnt = table.sheet().fire("style/bible", 0, 0.4)
    assert judged(table, suspect, learnt, learnt).verdict is Verdict.SUSPICIOUS


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("audit --make-partner m", "audit --make-partner 2 m"),
        ("audit m --make-partner 3", "audit m --make-partner 3"),
        ("audit m --make-partner --with a b", "audit m --make-partner 2 --with a --with b"),
    ],
)
def test_two_partners_are_made_where_no_number_stands(given: str, meant: str) -> None:
    assert expanded(given.split()) == meant.split()
