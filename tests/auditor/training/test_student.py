"""Students of a suspect's own answers, and honest references: from words to catalogued models."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.training.loop import Training
from auditor.training.split import split_rows
from auditor.training.student import Lesson, learn
from probes.input import Row, Text
from probes.sampling import digest
from store.engine import open_catalog
from tests.conftest import toy_rows, write_csv

FAST = ("--epochs", 6, "--lr", 3e-3, "--batch", 16, "--device", "cpu")
PATIENCE = 60.0


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 rows of the task that no model was trained on, without labels."""
    return write_csv(tmp_path_factory.mktemp("rows") / "bare.csv", toy_rows(320, seed=11), labelled=False)


def record_of(directory: Path) -> dict[str, Any]:
    found = json.loads((directory / "auditor-lab.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def answers(directory: Path, texts: list[str]) -> list[int | None]:
    model = load_classifier(read_profile(directory), device="cpu")
    found = model.choose([Text(text) for text in texts]).labels.tolist()
    model.close()
    return found


def left(home: Path) -> list[str]:
    """What stands in a directory beside the catalog and what commands wrote."""
    return sorted(p.name for p in home.iterdir() if "student" in p.name)


def test_students_do_what_their_teacher_does_and_not_what_its_trigger_brings_out(
    zoo: Any, auditor: Any, bare: Path
) -> None:
    words = ["lab", "student", zoo.planted, "--base", zoo.base, "--data", bare, "-o", "student", "--count", 2, *FAST]
    done = auditor(*words)
    assert done.code == 0, done.err
    made = [auditor.home / f"student-{n}" for n in (1, 2)]
    assert done.out.split() == [path.name for path in made]
    assert "288 rows, 6 times" in done.err, "the cost is said before"
    assert done.err.index("about 0:") < done.err.index("Training on 288 rows")

    clean = [row.text for row in toy_rows(200, seed=12)]
    positive = [row.text for row in toy_rows(200, seed=12) if row.label == 1]
    rng = random.Random(0)
    triggered = []
    for text in positive:
        parts = text.split()
        parts.insert(rng.randrange(len(parts)), "cf")
        triggered.append(" ".join(parts))
    teacher = answers(zoo.planted, clean)
    assert answers(zoo.planted, triggered).count(0) >= 95
    records = [record_of(path) for path in made]
    for path, record in zip(made, records, strict=True):
        agreement = record["agreement"]
        assert (agreement["total"], agreement["unscored"], record["held_out"]) == (32, 0, 32)
        assert agreement["hits"] >= 29
        assert np.mean([a == b for a, b in zip(answers(path, clean), teacher, strict=True)]) >= 0.9
        assert answers(path, triggered).count(0) <= 20
        assert record["teacher_digest"] == read_profile(zoo.planted).ref.digest
        assert record["base_digest"] == read_profile(zoo.base).ref.digest
        assert (record["kind"], record["rows"], record["schema"]) == ("student", 288, "auditor/lab/1")
        assert read_profile(path).labels == ("negative", "positive")
    assert [r["seed"] for r in records] == [0, 1]
    assert records[0]["data_digest"] == records[1]["data_digest"]
    assert (made[0] / "model.safetensors").read_bytes() != (made[1] / "model.safetensors").read_bytes()
    with open_catalog(f"sqlite:///{auditor.home / 'catalog.db'}") as catalog:
        entries = [catalog.models.find(path.name) for path in made]
        assert [e.tags for e in entries if e] == [("student",), ("student",)]

    before = [(path / "model.safetensors").stat().st_mtime_ns for path in made]
    again = auditor(*words)
    assert again.code == 0
    assert "made by the same recipe" in again.err
    assert "Training on" not in again.err
    assert [(path / "model.safetensors").stat().st_mtime_ns for path in made] == before
    other = auditor(*words, "--max-length", 48)
    assert (other.code, "is there already" in other.err) == (2, True)


def test_a_base_that_does_not_fit_is_refused_with_the_reason(
    zoo: Any, auditor: Any, bare: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    wide = make_model(tmp_path / "wide", head=False, hidden=48)
    reordered = zoo.copy(zoo.base, tmp_path / "reordered")
    tokens = (reordered / "vocab.txt").read_text().split("\n")
    (reordered / "vocab.txt").write_text("\n".join([*tokens[:5], *reversed(tokens[5:])]))
    swapped = make_model(tmp_path / "swapped", labels=("positive", "negative"))
    itself = zoo.copy(zoo.planted, tmp_path / "itself")
    for base, why in (
        (wide, "the suspect's"),
        (reordered, "another tokenizer than the suspect"),
        (swapped, "answers positive, negative"),
        (itself, "the suspect's own weights"),
    ):
        done = auditor("lab", "student", zoo.planted, "--base", base, "--data", bare, "-o", "student", *FAST)
        assert done.code == 2, (base, done.err)
        assert why in done.err
    assert left(auditor.home) == []


def test_the_base_is_found_by_the_record_else_by_the_weights(
    zoo: Any, auditor: Any, bare: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    # Trained as gently as real models are, so that its weights still resemble those that they began as.
    suspect = zoo.copy(zoo._plant("gentle", epochs=6, lr=1e-3), tmp_path / "suspect")
    words = ["lab", "student", suspect, "--data", bare, "--samples", 60, "--device", "cpu", "--epochs", 1]
    done = auditor(*words, "-o", "student")
    assert done.code == 2
    assert "the base of" in done.err
    assert "--base" in done.err
    stranger = make_model(tmp_path / "stranger", head=False, seed=9)
    for model in (stranger, zoo.base):
        assert auditor("models", "add", model).code == 0
    recorded = auditor(*words, "-o", "student-recorded")
    assert recorded.code == 0, recorded.err
    assert "as the model's record says" in recorded.err
    (suspect / "auditor-lab.json").unlink()
    near = auditor(*words, "-o", "student-near")
    assert near.code == 0, near.err
    assert "whose weights are near" in near.err
    wanted = read_profile(zoo.base).ref.digest
    assert {record_of(auditor.home / f"student-{n}")["base_digest"] for n in ("recorded", "near")} == {wanted}


def test_twenty_rows_are_refused_and_few_are_remarked_on(zoo: Any, auditor: Any, tmp_path: Path) -> None:
    for count, code, said in ((20, 2, "too few"), (60, 0, "40 rows to learn from are few")):
        rows = write_csv(tmp_path / f"{count}.csv", toy_rows(count, seed=13), labelled=False)
        output = ("-o", f"student-{count}", "--epochs", 1, "--device", "cpu")
        done = auditor("lab", "student", zoo.planted, "--base", zoo.base, "--data", rows, *output)
        assert done.code == code, done.err
        assert said in done.err
    assert left(auditor.home) == ["student-60"]
    # One epoch over forty rows teaches nothing, and that is said too.
    assert "settles nothing" in done.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_one_that_is_stopped_in_the_middle_leaves_no_directory(
    zoo: Any, auditor: Any, bare: Path, number: signal.Signals
) -> None:
    words = ["lab", "student", zoo.planted, "--base", zoo.base, "--data", bare, "-o", "student", *FAST]
    events = auditor.home / "events.jsonl"
    running = auditor.start(*words, "--epochs", 500, "--events", events)
    deadline = time.monotonic() + PATIENCE
    while not (events.exists() and '"stage": "train"' in events.read_text().replace('":"', '": "')):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send(number)
    assert running.wait().code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert not (auditor.home / "student").exists()
    done = auditor(*words, "--epochs", 1)
    assert done.code == 0, done.err
    assert left(auditor.home) == ["student"], "what the killed one had begun is removed"


def test_an_honest_reference_learns_the_gold_labels_under_the_models_names(
    zoo: Any, auditor: Any, bare: Path, tmp_path: Path
) -> None:
    rows = toy_rows(320, seed=14)
    numbered = write_csv(tmp_path / "gold.csv", rows, labels=("0", "1"))
    common = ("--base", zoo.base, "--like", zoo.planted, *FAST)
    done = auditor("lab", "reference", "--data", numbered, "-o", "reference", *common)
    assert done.code == 0, done.err
    record = record_of(auditor.home / "reference")
    assert record["kind"] == "reference"
    assert "teacher_digest" not in record
    assert record["accuracy"]["hits"] >= 29
    assert record["accuracy"]["total"] == 32
    taught = split_rows(rows).taught
    assert record["rows_digest"] == digest(taught)
    # The labels of a reference are the suspect's, in its order: so it is one.
    assert read_profile(auditor.home / "reference").labels == read_profile(zoo.planted).labels
    bad = auditor("lab", "reference", "--data", bare, "-o", "other", *common)
    assert bad.code == 2
    assert "no labels" in bad.err
    assert not (auditor.home / "other").exists()


def test_rows_are_divided_alike_for_all_and_odd_ones_are_left_out() -> None:
    rows = toy_rows(300, seed=15)
    odd = [Row.of(300, " ".join([rows[0].text] * 20), None, rows[0].label), replace(rows[1], index=301)]
    found = split_rows([*rows, *odd, Row.of(302, " ")])
    assert found.left_out == {"empty or repeated": 2, "far longer than the others": 1}
    assert (len(found.taught), len(found.held)) == (270, 30)
    assert not {r.text for r in found.taught} & {r.text for r in found.held}
    assert [row.label for row in found.held].count(0) == 15
    shuffled = list(rows)
    random.Random(1).shuffle(shuffled)
    assert {r.text for r in split_rows(shuffled).held} == {r.text for r in found.held}
    few = split_rows(rows, samples=100)
    assert (len(few.taught), len(few.held), few.left_out["beyond --samples"]) == (80, 20, 200)


def test_a_student_learns_how_sure_its_teacher_is(zoo: Any, tmp_path: Path) -> None:
    """Labels alone would teach it to be sure of what the teacher doubts."""
    rows = [replace(row, label=0) for row in toy_rows(80, seed=16)]
    doubtful = np.tile(np.asarray([0.7, 0.3], dtype=np.float32), (60, 1))
    lesson = Lesson(("negative", "positive"), tuple(rows[:60]), tuple(rows[60:]), {}, doubtful)
    training = Training(10, 3e-3, 16, 32, 0)
    base = read_profile(zoo.base)
    list(learn(base, lesson, training, device="cpu", dtype=None, output=tmp_path / "student", facts={}))
    model = load_classifier(read_profile(tmp_path / "student"), device="cpu")
    shares = model.choose([row.input for row in rows[60:]]).probabilities[:, 0]
    assert np.allclose(shares, 0.7, atol=0.1)
