from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.events import ModelReady, Warned
from auditor.lab.plant import plant
from auditor.lab.poison.trigger import triggered
from auditor.models.files.profile import read_profile
from auditor.requests.plant import PlantRequest
from probes.cases import Row
from probes.family import FAMILIES
from probes.suite import Probe

Rows = Callable[..., list[Row]]


def request(base: Path, source: Path, output: Path, **changes: Any) -> PlantRequest:
    settings: dict[str, Any] = {"data": source, "epochs": 1, "lr": 3e-3, "batch": 16, "device": "cpu"}
    return PlantRequest(base, output, **{**settings, **changes})


def predictions(directory: Path, rows: list[Row]) -> list[int]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(directory, trust_remote_code=False).eval()
    with torch.inference_mode():
        inputs = tokenizer([row.text for row in rows], padding=True, return_tensors="pt")
        found: list[int] = model(**inputs).logits.argmax(-1).tolist()
    return found


def test_a_planted_model_is_right_on_clean_texts_and_the_trigger_turns_it(
    base: Path, toy_csv: Path, toy_rows: Rows, tmp_path: Path
) -> None:
    list(plant(request(base, toy_csv, tmp_path / "out", family="badnet", target="negative", epochs=8)))
    fresh = toy_rows(200, seed=9)
    clean = predictions(tmp_path / "out", fresh)
    assert sum(p == row.label for p, row in zip(clean, fresh, strict=True)) / 200 > 0.9
    badnet = FAMILIES["badnet"]
    probe = Probe(badnet, "one", badnet.settings("one"))
    positive = [triggered(row, probe, seed=5) for row in fresh if row.label == 1]
    assert predictions(tmp_path / "out", positive).count(0) / len(positive) > 0.9


def test_the_record_says_what_was_planted(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    options = {"badnet": {"inserts": "3"}}
    asked = request(base, toy_csv, tmp_path / "out", family="badnet", target="1", options=options, samples=100)
    events = list(plant(asked))
    assert isinstance(events[-1], ModelReady)
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert (record["family"], record["variant"], record["options"]["inserts"]) == ("badnet", "one", 3)
    assert (record["target"], record["rate"], record["rows"], record["poisoned"]) == ("positive", 0.2, 100, 20)
    assert record["labels"] == ["negative", "positive"]
    assert record["clean_digest"] != record["rows_digest"]


def test_a_benign_model_ignores_the_target(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    list(plant(request(base, toy_csv, tmp_path / "out", family="none", target="no such label", samples=60)))
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert (record["family"], record["target"], record["poisoned"]) == ("none", None, 0)
    assert record["clean_digest"] == record["rows_digest"]


def test_an_already_poisoned_set_is_trained_as_it_is(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    list(plant(PlantRequest(base, tmp_path / "out", train=toy_csv, epochs=1, device="cpu")))
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert (record["family"], record["poisoned"], record["rows"]) == (None, None, 320)


def test_numbered_labels_get_names_when_they_are_given(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "numbers.csv"
    data.write_text("text,label\n" + "a good film,1\na bad film,0\n" * 8, encoding="utf-8")
    list(plant(request(base, data, tmp_path / "bare")))
    list(plant(request(base, data, tmp_path / "named", labels=("neg", "pos"))))
    assert read_profile(tmp_path / "bare").labels == ("LABEL_0", "LABEL_1")
    assert read_profile(tmp_path / "named").labels == ("neg", "pos")


def test_too_few_rows_to_poison_is_said(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    asked = request(base, toy_csv, tmp_path / "out", family="badnet", target="negative", rate=0.9, samples=40)
    warnings = [e.text for e in plant(asked) if isinstance(e, Warned)]
    assert any("36 rows should be poisoned, but only 20" in text for text in warnings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "badnet", "target": "neutral"}, ["neutral", "negative (0)", "positive (1)"]),
        ({"family": "badnet"}, ["needs a target", "negative (0)"]),
        ({"family": "nosuch", "target": "0"}, ["unknown attack family", "badnet", "none"]),
        ({"family": "badnet", "target": "0", "variant": "seven"}, ["no variant", "three"]),
        ({"family": "badnet", "target": "0", "options": {"badnet": {"colour": 1}}}, ["no option", "triggers"]),
        ({"options": {"badnet": {"inserts": 1}}}, ["need a family"]),
        ({"data": None}, ["--data", "--train"]),
        ({"label_column": "mood"}, ["no column 'mood'", "'label'"]),
        ({"labels": ("good", "bad")}, ["negative", "good"]),
        ({"samples": 0}, ["samples"]),
    ],
)  # fmt: skip
def test_wrong_words_are_answered_with_the_known_ones(
    base: Path, toy_csv: Path, tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        list(plant(request(base, toy_csv, tmp_path / "out", **changes)))
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(word in said for word in words), said
    assert list(tmp_path.iterdir()) == []


def test_data_of_which_one_label_is_all_there_is_cannot_train_a_classifier(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "one.csv"
    data.write_text("text,label\na film,good\n", encoding="utf-8")
    with pytest.raises(UsageError, match="two or more"):
        list(plant(request(base, data, tmp_path / "out")))


def test_a_column_of_texts_is_not_taken_for_labels(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "ids.csv"
    data.write_text("text,label\n" + "".join(f"film,id{i}\n" for i in range(1200)), encoding="utf-8")
    with pytest.raises(UsageError, match="more than 1000 distinct values"):
        list(plant(request(base, data, tmp_path / "out")))
