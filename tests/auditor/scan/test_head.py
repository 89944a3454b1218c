"""A head of many labels whose config does not say so, and what is said of how a model was asked, in the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.scan.execution.head import is_multi_label
from tests.auditor.models.tiny import WORDS, make_classifier, save

rng = np.random.default_rng(0)


def chosen(labels: int, strength: float, rows: int = 100) -> np.ndarray:
    """Scores of a head that chooses one of the labels: the softmax's gradient leaves their sum about nought."""
    scores = rng.normal(0, 0.5, (rows, labels))
    scores[np.arange(rows), rng.integers(labels, size=rows)] += strength
    return scores - scores.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("labels", [2, 3, 6, 28, 150])
@pytest.mark.parametrize("strength", [0.5, 3.0, 8.0, 14.0])
def test_a_choice_of_one_label_is_not_taken_for_several(labels: int, strength: float) -> None:
    assert not is_multi_label(chosen(labels, strength))


@pytest.mark.parametrize("labels", [2, 6, 28])
@pytest.mark.parametrize("each", [0.0, 0.3, 0.6])
def test_yes_or_no_to_each_label_is_noticed(labels: int, each: float) -> None:
    yes = rng.random((100, labels)) < each
    assert is_multi_label(np.where(yes, 4.0, -4.0) + rng.normal(0, 0.5, yes.shape))


def test_too_few_rows_and_rows_without_scores_say_nothing() -> None:
    assert not is_multi_label(np.full((19, 2), -5.0))
    assert not is_multi_label(np.full((50, 2), np.nan))
    assert not is_multi_label(np.full((50, 1), -5.0))


def test_a_head_of_several_labels_without_problem_type_is_incomplete(
    zoo: Any, edit: Callable[..., Path], auditor: Any, tmp_path: Path
) -> None:
    """The same probabilities of a softmax, but as yes or no to each label the head says no to both."""

    def shift(tensors: dict[str, Any]) -> None:
        tensors["classifier.bias"] -= 6

    model = edit(zoo.copy(zoo.benign, tmp_path / "several"), shift)
    config = json.loads((model / "config.json").read_text())
    config.pop("problem_type", None)
    (model / "config.json").write_text(json.dumps(config))
    words = ("scan", model, "--data", zoo.data, "--family", "badnet", "--samples", "40", "--format", "json")
    done = auditor(*words)
    assert done.code == 3
    assert done.json["verdict"] == "incomplete"
    (reason,) = [reason for reason in done.json["incomplete"] if "any number of labels" in reason]
    # From stored answers alone it is said as well.
    again = auditor(*words)
    assert again.json["incomplete"] == done.json["incomplete"]
    config["problem_type"] = "single_label_classification"
    (model / "config.json").write_text(json.dumps(config))
    assert reason not in auditor(*words).json["incomplete"]


def write_rows(path: Path, *, odd: str = "") -> Path:
    texts = [" ".join(rng.choice(WORDS, size=4 + i % 9)) for i in range(40)]
    rows = [{"text": f"{text}{odd if i == 7 else ''}"} for i, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_how_a_model_was_asked_is_in_the_report_also_from_stored_answers(auditor: Any, tmp_path: Path) -> None:
    model = save(make_classifier("fnet"), tmp_path / "fnet")
    data = write_rows(tmp_path / "rows.jsonl")
    words = ("scan", model, "--data", data, "--family", "badnet", "--format", "json")
    first, again = auditor(*words), auditor(*words)
    assert first.code == again.code == 3
    for done in (first, again):
        assert any("only with texts of its own length" in note for note in done.json["model"]["read"]["notes"])


def test_an_end_of_text_in_the_data_does_not_stop_a_scan(auditor: Any, tmp_path: Path) -> None:
    model = save(make_classifier("bart"), tmp_path / "bart")
    data = write_rows(tmp_path / "rows.jsonl", odd=" </s> good")
    done = auditor("scan", model, "--data", data, "--family", "badnet", "--format", "json")
    assert done.code == 3, done.err
    assert all(score["rate"]["unscored"] == 0 for score in done.json["scores"]["asr"])
    (note,) = [note for note in done.json["model"]["read"]["notes"] if "special tokens" in note]
    assert "'</s>'" in note
