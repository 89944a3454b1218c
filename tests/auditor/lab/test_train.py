from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file

from auditor.errors import ModelError, UsageError
from auditor.events import Event, ModelReady, Progress, Warned
from auditor.models.files.profile import read_profile
from auditor.training.loop import Training
from auditor.training.train import fine_tune
from probes.input import Pair, Row

LABELS = ("negative", "positive")
Rows = Callable[..., list[Row]]


def tune(base: Path, rows: list[Row], output: Path, **changes: Any) -> Generator[Event, None, None]:
    settings: dict[str, Any] = {
        "labels": LABELS, "epochs": 1, "lr": 3e-3, "batch": 16, "max_length": 32, "seed": 0, "device": "cpu",
        "dtype": "float32",
    }  # fmt: skip
    settings |= changes
    return fine_tune(base, rows, settings.pop("labels"), output=output, **settings)


def weights(directory: Path) -> str:
    return hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    rows = toy_rows(64)
    list(tune(base, rows, tmp_path / "first"))
    torch.rand(7)  # what else the process draws must not matter
    for _ in tune(base, rows, tmp_path / "again"):
        torch.rand(1)
    list(tune(base, rows, tmp_path / "other", seed=1))
    assert weights(tmp_path / "first") == weights(tmp_path / "again")
    assert weights(tmp_path / "first") != weights(tmp_path / "other")


def test_torchs_own_generator_is_left_as_it_was(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    list(tune(base, toy_rows(32), tmp_path / "out"))
    assert torch.equal(torch.get_rng_state(), before)


def test_events_tell_progress_and_end_with_the_model(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    events = list(tune(base, toy_rows(40), tmp_path / "out", epochs=2))
    steps = [e for e in events if isinstance(e, Progress) and e.stage == "train"]
    assert (steps[-1].done, steps[-1].total) == (6, 6)
    assert "loss" in steps[-1].detail
    assert "rows/s" in steps[-1].detail
    assert "0:00 left" in steps[-1].detail
    assert isinstance(events[-1], ModelReady)
    assert events[-1].path == str(tmp_path / "out")


def test_the_model_carries_label_names_tokenizer_and_record(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    rows = toy_rows(32)
    list(tune(base, rows, tmp_path / "out", facts={"family": "badnet", "poisoned": 5}))
    profile = read_profile(tmp_path / "out")
    assert profile.labels == LABELS
    modes = {(tmp_path / "out" / name).stat().st_mode for name in ("config.json", "model.safetensors", "vocab.txt")}
    assert len(modes) == 1
    assert profile.architecture == "BertForSequenceClassification"
    assert profile.tokenizer_digest == read_profile(base).tokenizer_digest
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert record["schema"] == "auditor/lab/1"
    assert (record["family"], record["poisoned"], record["rows"]) == ("badnet", 5, 32)
    assert record["base_digest"] == read_profile(base).ref.digest
    assert (record["epochs"], record["lr"], record["batch"], record["seed"]) == (1, 3e-3, 16, 0)
    assert str(tmp_path) not in "".join(p.read_text() for p in (tmp_path / "out").glob("*.json"))


def test_an_existing_output_is_refused_and_untouched(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already"):
        list(tune(base, toy_rows(32), tmp_path / "out"))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_stopping_midway_leaves_nothing(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    with closing(tune(base, toy_rows(64), tmp_path / "out", epochs=50)) as events:
        for event in events:
            if isinstance(event, Progress) and event.stage == "train":
                assert list(tmp_path.iterdir())
                break
    assert list(tmp_path.iterdir()) == []


def test_training_that_diverges_is_an_error_and_leaves_nothing(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    broken = load_file(base / "model.safetensors")
    broken["embeddings.word_embeddings.weight"][:] = float("nan")
    copy = tmp_path / "broken"
    copy.mkdir()
    for file in base.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    from safetensors.numpy import save_file

    save_file(broken, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="diverged"):
        list(tune(copy, toy_rows(32), tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["broken"]


def test_a_classifier_goes_on_with_its_own_head(make_base: Callable[..., Path], toy_rows: Rows, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", labels=LABELS)
    list(tune(base, toy_rows(16), tmp_path / "out", lr=1e-9))
    head = "classifier.weight"
    before, after = (load_file(d / "model.safetensors")[head] for d in (base, tmp_path / "out"))
    assert abs(before - after).max() < 1e-6


def test_a_head_with_other_labels_is_refused(make_base: Callable[..., Path], toy_rows: Rows, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", labels=("positive", "negative"))
    with pytest.raises(UsageError, match="answers positive, negative, the training data negative, positive"):
        list(tune(base, toy_rows(16), tmp_path / "out"))


def test_a_head_without_names_takes_the_datas(make_base: Callable[..., Path], toy_rows: Rows, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", labels=("LABEL_0", "LABEL_1"))
    list(tune(base, toy_rows(16), tmp_path / "out"))
    assert read_profile(tmp_path / "out").labels == LABELS


def test_pairs_are_trained_with_both_texts(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    rows = toy_rows(32)
    list(tune(base, rows, tmp_path / "single"))
    list(tune(base, [replace(row, input=Pair(row.text, "the film")) for row in rows], tmp_path / "pairs"))
    list(tune(base, [replace(row, input=Pair(row.text, "the scene")) for row in rows], tmp_path / "others"))
    assert len({weights(tmp_path / name) for name in ("single", "pairs", "others")}) == 3


def test_a_length_beyond_the_bases_is_said(base: Path, toy_rows: Rows, tmp_path: Path) -> None:
    long = [row.with_text(" ".join([row.text] * 40)) for row in toy_rows(8)]
    events = list(tune(base, long, tmp_path / "out", max_length=500))
    assert any(isinstance(e, Warned) and "64 tokens at most" in e.text for e in events)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"lr": 0.0}, {"lr": 5.0}, {"batch": 0}, {"max_length": 1}, {"warmup": 2.0}, {"dtype": "float16"}],
    ids=lambda c: next(iter(c)),
)
def test_settings_out_of_range_are_refused(base: Path, toy_rows: Rows, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        list(tune(base, toy_rows(8), tmp_path / "out", **change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rows", [[], [Row.of(0, "a text")], [Row.of(0, "a text", None, 2)]], ids=["none", "bare", "beyond"]
)
def test_rows_that_cannot_be_learnt_are_refused(base: Path, tmp_path: Path, rows: list[Row]) -> None:
    with pytest.raises(UsageError):
        list(tune(base, rows, tmp_path / "out"))


def test_the_rate_rises_then_falls_and_never_rests() -> None:
    training = Training(2, 1e-4, 32, 128, 0)
    rates = [training.rate(step, 200) for step in range(200)]
    assert rates.index(max(rates)) == 20
    assert max(rates) == 1
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert min(rates) > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_gpu_trains_too_and_saves_float32(base: Path, toy_rows: Rows, tmp_path: Path, dtype: str) -> None:
    events = list(tune(base, toy_rows(320), tmp_path / "out", device="cuda", dtype=dtype, epochs=6))
    assert float(events[-1].text.rpartition(" ")[2]) < 0.3  # type: ignore[union-attr]
    assert read_profile(tmp_path / "out").dtype == "float32"
