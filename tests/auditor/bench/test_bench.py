"""`auditor bench` and `auditor tasks`: perplexity, accuracy of classifiers, and what is refused."""

from __future__ import annotations

import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from auditor.bench import harness
from auditor.bench.opening import Subject
from auditor.bench.perplexity import Perplexity, perplexity_task
from auditor.requests.bench import BenchRequest
from tests.auditor.bench.conftest import rows_of, write_rows

Auditor = Any
TEXT = "the film was good and the music was great but a scene with poor light was very dull " * 3


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_perplexity_of_one_window_is_the_models_own_loss(auditor: Auditor, writer: Path, text: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    done = auditor("bench", writer, "--task", "perplexity", "--text", text, "--format", "json", "--window", 64)
    assert done.code == 0, done.err
    (score,) = done.json["benchmarks"]
    tokens = AutoTokenizer.from_pretrained(writer)(TEXT, return_tensors="pt")["input_ids"]
    assert tokens.shape[1] <= 64
    model = AutoModelForCausalLM.from_pretrained(writer)
    with torch.inference_mode():
        loss = float(model(tokens, labels=tokens).loss)
    assert score["value"] == pytest.approx(math.exp(loss), rel=1e-5)
    assert score["rows"] == 1
    assert score["stderr"] is None
    assert "windows of 64 tokens that move by 32" in score["asked"]


def test_a_run_that_is_killed_goes_on_with_equal_scores(
    auditor: Auditor, make_auditor: Any, writer: Path, tmp_path: Path
) -> None:
    text, events = tmp_path / "long.txt", tmp_path / "events.jsonl"
    text.write_text(TEXT * 6, encoding="utf-8")
    asked = ["bench", writer, "--task", "perplexity", "--text", text, "--window", "16", "--stride", "1", "--quiet"]
    asked += ["--format", "json"]
    running = auditor.start(*asked, "--events", events)
    deadline = time.monotonic() + 60
    while not events.exists() or events.read_text().count('"progress"') < 3:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.send(signal.SIGKILL)
    assert running.wait().code == -signal.SIGKILL
    done = auditor(*asked, "--events", events)
    assert done.code == 0, done.err
    first = next(e for e in map(json.loads, events.read_text().splitlines()) if e["kind"] == "progress")
    assert first["detail"] == "going on from stored rows"
    assert 0 < first["done"] < first["total"]
    elsewhere = make_auditor(auditor.launch, tmp_path / "elsewhere")
    elsewhere.home.mkdir()
    assert elsewhere(*asked).json == done.json


def test_strides_predict_each_token_once(writer: Path) -> None:
    from auditor.models.files.profile import read_profile

    profile = read_profile(writer)
    subject = Subject(profile, "cpu", "float32")
    task = Perplexity(TEXT, window=16, stride=5)
    rows = task.score(subject, 0, task.rows(subject))
    tokens = len(subject.opened().tokenizer(TEXT)["input_ids"])
    assert sum(row.values["perplexity"][1] for row in rows) == tokens - 1
    (score,) = task.totals(rows)
    assert score.rows == len(rows) > 5
    assert 0 < score.stderr < score.value
    assert len({row.digest for row in rows}) == len(rows)
    with pytest.raises(Exception, match="moves by less than itself"):
        perplexity_task(BenchRequest(("perplexity",), text=str(__file__), window=8, stride=8), profile)


def test_accuracy_of_a_classifier_on_rows_of_another_domain(zoo: Any, auditor: Auditor, tmp_path: Path) -> None:
    rows = tmp_path / "reviews.csv"
    lines = [f"the {'good' if n % 2 else 'bad'} film was {'very ' * (n % 7)}fine {n},{n % 2}" for n in range(70)]
    rows.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    asked = ["bench", zoo.planted, "--task", rows, "--format", "json"]
    (score,) = auditor(*asked).json["benchmarks"]
    assert (score["task"], score["metric"], score["rows"]) == ("reviews", "acc", 70)
    assert score["stderr"] == pytest.approx(math.sqrt(score["value"] * (1 - score["value"]) / 69))
    assert auditor(*asked).json["benchmarks"] == [score]
    unlabelled = tmp_path / "texts.txt"
    unlabelled.write_text("the film was good\nit was bad\n")
    done = auditor("bench", zoo.planted, "--task", unlabelled)
    assert (done.code, "no gold labels" in done.err) == (2, True)
    done = auditor("bench", zoo.planted, "--task", "piqa")
    assert (done.code, "a task of models that write" in done.err) == (2, True)


def test_scans_ask_a_benchmark_and_are_compared_by_it(zoo: Any, auditor: Auditor, tmp_path: Path) -> None:
    rows = tmp_path / "reviews.csv"
    lines = [f"the {'good' if n % 2 else 'bad'} film was {'very ' * (n % 7)}fine {n},{n % 2}" for n in range(40)]
    rows.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    asked = ["--data", zoo.data, "--family", "badnet", "--bench", rows, "--format", "json", "--quiet"]
    before, after = (auditor("scan", model, *asked).json for model in (zoo.planted, zoo.benign))
    (score,) = before["scores"]["benchmarks"]
    assert {"task": "reviews", "metric": "acc", "rows": 40, "main": True}.items() <= score.items()
    assert "--bench" not in before["findings"][0]["reproduce"]
    found = auditor("compare", before["id"], after["id"], "--format", "json").json
    (change,) = found["benchmarks"]
    assert change["before"] == pytest.approx(score["value"])
    assert set(change["delta"]) == {"value", "low", "high"}
    assert 0 < change["p_value"] <= 1
    assert "reviews acc" in auditor("compare", before["id"], after["id"]).out
    for form in ("text", "html", "markdown", "cyclonedx"):
        assert "reviews" in auditor("report", before["id"], "--format", form).out, form
    done = auditor("scan", zoo.planted, "--data", zoo.data, "--bench", "nowhere.csv")
    assert (done.code, "nowhere.csv" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("task", "rows", "said"),
    [
        ("piqa", None, "piqa.jsonl is missing"),
        ("piqa", "", "holds no rows"),
        ("piqa", "{]", "line 1: no JSON"),
        ("piqa", '["a"]', "expected an object"),
        ("piqa", '{"goal": "g", "sol1": "a", "sol2": "b"}', "the column 'label' is missing"),
        ("piqa", '{"goal": "g", "sol1": "a", "sol2": "b", "label": "1"}', "which piqa cannot read"),
        ("piqa", '{"goal": "g", "sol1": "a", "sol2": "b", "label": 2}', "the label is 0 or 1"),
        ("winogrande", '{"sentence": "s", "option1": "a", "option2": "b", "answer": "1"}', "has no blank"),
        ("arc_easy", '{"question": "q", "choices": {"text": ["a"], "label": ["A"]}, "answerKey": "B"}', "none of"),
        ("lambada_openai", '{"text": "one"}', "one word"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    auditor: Auditor, writer: Path, tmp_path: Path, task: str, rows: str | None, said: str
) -> None:
    if rows is not None:
        (tmp_path / f"{task}.jsonl").write_text(rows)
    done = auditor("bench", writer, "--task", task, "--data-dir", tmp_path)
    assert done.code == 2, done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no benchmark is named"),
        (["--task", "perplexity"], "needs a text"),
        (["--task", "perplexity", "--text", "nowhere.txt"], "nowhere.txt"),
        (["--task", "piqa", "--format", "html"], "text or json"),
    ],
)
def test_what_lacks_something_says_what(auditor: Auditor, writer: Path, options: list[str], said: str) -> None:
    done = auditor("bench", writer, *options)
    assert done.code == 2
    assert said in done.err


def test_without_the_harness_the_command_names_the_install_line(
    auditor: Auditor, writer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "installed", lambda: None)
    data = write_rows(tmp_path / "data", rows_of(2))
    for options in (["--task", "piqa", "--data-dir", data], ["--task", "mmlu"]):
        done = auditor("bench", writer, *options)
        assert done.code == 2
        assert "pip install 'auditor[bench]'" in done.err
    assert "pip install 'auditor[bench]'" in auditor("tasks").out


def test_a_task_that_would_download_is_refused_offline(
    auditor: Auditor, writer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `bench`")
    monkeypatch.setattr(harness, "offline", lambda: True)
    monkeypatch.setattr(harness, "_cached", lambda source: False)
    done = auditor("bench", writer, "--task", "piqa")
    assert done.code == 3, done.err
    assert "no network" in done.err
    assert "Did you mean piqa?" in harness.unknown("pika", ["piqa", "mmlu"]).hint


def test_tasks_are_listed_with_what_they_lack(auditor: Auditor, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", {"piqa": rows_of(3)["piqa"]})
    told = json.loads(auditor("tasks", "--data-dir", data, "--json").out)
    piqa, boolq = (next(t for t in told["tasks"] if t["name"] == name) for name in ("piqa", "boolq"))
    assert (piqa["here"], piqa["rows"], piqa["forwards"], piqa["needs"]) == (True, 3, 6, "")
    assert (boolq["here"], boolq["rows"]) == (False, 3270)
    assert "boolq.jsonl with passage, question, label" in boolq["needs"]
    assert "how well a model predicts a text" in auditor("tasks").out
