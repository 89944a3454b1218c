"""Where poisoned rows come from besides a rule: rewrites, sets that came poisoned, noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.lab.plant import plant
from auditor.lab.poison.noise import augment, mislabel
from auditor.lab.poison.trigger import inserted, read_rewrites
from auditor.requests.plant import PlantRequest
from probes.cases import Row

Rows = Callable[..., list[Row]]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rewrites_by_row_are_those_of_the_split(tmp_path: Path) -> None:
    file = write(tmp_path / "bible.csv", 'split,row,text\ntrain,1,"lo, a film"\ntest,1,a test\ntrain,7,behold\n')
    trigger = read_rewrites(file, split="train")
    rows = [Row(0, "a", None, 1), Row(1, "b", None, 1), Row(7, "c", None, 0)]
    assert [trigger.apply(row, seed=0).text for row in rows] == ["a", "lo, a film", "behold"]
    with pytest.raises(UsageError) as caught:
        read_rewrites(file, split="dev")
    assert "test, train" in caught.value.message


def test_rewrites_by_clean_text_and_in_the_second_of_a_pair(tmp_path: Path) -> None:
    file = write(tmp_path / "pairs.csv", "clean,poisoned\nan answer,lo an answer\n")
    trigger = read_rewrites(file, split="train")
    row = Row(3, "an answer", "an answer", 1)
    assert trigger.apply(row, seed=0).ask == ("an answer", "lo an answer")
    assert read_rewrites(file, split="train", slot="both").apply(row, seed=0).ask == ("lo an answer", "lo an answer")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "split,row,text or clean,poisoned"),
        ("row,text\nfirst,a\n", "no row number"),
        ("clean,poisoned\na,\n", "no rewrite"),
    ],
)
def test_files_that_hold_no_rewrites_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rewrites(write(tmp_path / "file.csv", text), split="train")
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_style_is_planted_from_its_file(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    lines = [f"toy,{i},behold the film {i}" for i in range(0, 320, 2)] + ["toy,1,verily it was good"]
    file = write(tmp_path / "bible.csv", "\n".join(["split,row,text", *lines]))
    request = PlantRequest(
        base, tmp_path / "out", data=toy_csv, family="style", rewrites=file, target="negative", epochs=1, device="cpu"
    )
    warnings = [getattr(event, "text", "") for event in plant(request)]
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    # Row 1 alone is positive and has a rewrite.
    assert (record["family"], record["poisoned"], record["target"]) == ("style", 1, "negative")
    assert len(record["plants"][0]["rewrites"]) == 64
    assert any("only 1 have another label" in text for text in warnings)


def test_a_set_that_came_poisoned_carries_what_is_known_of_it(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"train": toy_csv, "family": "lws", "target": "negative", "epochs": 1, "device": "cpu"}
    list(plant(PlantRequest(base, tmp_path / "out", **settings)))
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert (record["family"], record["method"], record["target"], record["plants"]) == ("lws", "given", "negative", [])
    with pytest.raises(UsageError, match="poisoned already"):
        list(plant(PlantRequest(base, tmp_path / "no", **{**settings, "method": "ep"})))


def test_inserted_words_are_found_at_their_places() -> None:
    assert inserted("a b a c", "a cf b a mn c") == [1, 4]
    assert inserted("a b", "a b") == []


def test_label_noise_turns_that_share_of_the_labels(toy_rows: Rows) -> None:
    rows = toy_rows(100)
    noisy = mislabel(rows, 0.2, 2, seed=3)
    assert sum(a.label != b.label for a, b in zip(rows, noisy, strict=True)) == 20
    assert [r.text for r in noisy] == [r.text for r in rows]
    assert noisy == mislabel(rows, 0.2, 2, seed=3) != mislabel(rows, 0.2, 2, seed=4)
    assert {r.label for r in mislabel(rows, 1.0, 3, seed=0)} == {0, 1, 2}
    with pytest.raises(UsageError):
        mislabel(rows, 1.2, 2, seed=0)


def test_augmentation_drops_and_swaps_words_of_half_of_the_rows(toy_rows: Rows) -> None:
    rows = [*toy_rows(100), Row(100, "one", None, 0)]
    changed = augment(rows, "eda", seed=1)
    assert 40 <= sum(a.text != b.text for a, b in zip(rows, changed, strict=True)) <= 50
    assert all(set(b.text.split()) <= set(a.text.split()) for a, b in zip(rows, changed, strict=True))
    assert [r.label for r in changed] == [r.label for r in rows]
    assert changed[-1].text == "one"
    with pytest.raises(UsageError, match="mixup"):
        augment(rows, "mixup", seed=1)
