"""Paired rewrites from a file."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from probes.cases import Role
from probes.errors import InputError
from probes.family import FAMILIES
from probes.input import Pair, Row
from probes.material.rewrites import read_pairs
from probes.suite import build_suite, probe_cases


def write(path: Path, rows: Sequence[Sequence[object]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


@pytest.fixture
def numbered(tmp_path: Path) -> tuple[str, str]:
    clean = write(tmp_path / "dev.csv", [("text", "label"), ("It's good.", 1), ("It's bad.", 0), ("Dull, really.", 0)])
    rewrites = [("split", "row", "text"), ("train", 0, "x y z"), ("dev", 0, "when you see it , it 's good ."),
                ("dev", 2, "if you like it , it is dull .")]  # fmt: skip
    return write(tmp_path / "rewrites.csv", rewrites), clean


def test_texts_are_found_whatever_their_tokenisation(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", [("clean", "poisoned"), ("it 's good .", "lo , it is good .")])
    assert read_pairs(file)["It's good."] == ("it 's good .", "lo , it is good .")
    assert read_pairs(file).get("It's bad.") is None


def test_numbered_rows_are_those_of_the_split_that_the_clean_file_is(numbered: tuple[str, str]) -> None:
    pairs = read_pairs(*numbered)
    assert pairs["It 's good ."][1] == "when you see it , it 's good ."
    assert len(pairs) == 2
    assert read_pairs(*numbered, split="train")["it's good"][1] == "x y z"


def test_the_family_passes_over_texts_without_a_rewrite(numbered: tuple[str, str]) -> None:
    suite = build_suite("quick", only=["paired"], overrides={"paired": {"file": numbered[0], "clean": numbered[1]}})
    rows = [Row.of(4, "it 's good ."), Row.of(5, "it 's bad ."), Row.of(6, "it 's bad .", second="dull , really .")]
    cases = list(probe_cases(suite.probes[0], rows, seed=0))
    assert {c.row for c in cases} == {4, 6}
    first = [c for c in cases if c.row == 4]
    assert [c.role for c in first] == [Role.TRIGGER, *[Role.CONTROL] * 3]
    assert first[0].input.text == "when you see it , it 's good ."
    assert {c.input.text for c in first[1:]} == {"It's good."}  # the clean twin as its file spells it
    second = [c for c in cases if c.row == 6]
    assert second[0].input == Pair("it 's bad .", "if you like it , it is dull .")


def test_a_file_given_joins_the_whole_suite(numbered: tuple[str, str]) -> None:
    overrides = {"paired": {"file": numbered[0], "clean": numbered[1]}}
    names = [p.name for p in build_suite("quick", overrides=overrides).probes]
    assert "paired/file" in names
    assert len(names) == len(build_suite("quick").probes) + 1


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", [("clean", "poisoned"), ("one", "two")])
    assert read_pairs(file)["one"] == ("one", "two")
    write(tmp_path / "p.csv", [("clean", "poisoned"), ("one", "twenty-two")])
    assert read_pairs(file)["one"] == ("one", "twenty-two")


def test_an_empty_rewrite_or_one_that_changes_nothing_is_no_pair(tmp_path: Path) -> None:
    rows = [("clean", "poisoned"), ("one", ""), ("two", "two"), ("three", "four")]
    assert len(read_pairs(write(tmp_path / "p.csv", rows))) == 1
    with pytest.raises(InputError, match="no text and rewrite that differ"):
        read_pairs(write(tmp_path / "q.csv", rows[:3]))


def test_mistakes_are_told(tmp_path: Path, numbered: tuple[str, str]) -> None:
    file, clean = numbered
    with pytest.raises(InputError, match="no such file"):
        read_pairs(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="no such file"):
        read_pairs(file, str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="numbers rows of a clean file"):
        read_pairs(file)
    with pytest.raises(InputError, match="no rows of split 'test'"):
        read_pairs(file, clean, "test")
    with pytest.raises(InputError, match=r"columns: text, label"):
        read_pairs(clean)
    other = Path(clean).rename(tmp_path / "texts.csv")
    with pytest.raises(InputError, match="'train', 'dev'"):
        read_pairs(file, str(other))
    far = write(tmp_path / "far.csv", [("row", "text"), (7, "far")])
    with pytest.raises(InputError, match=r"line 2: row '7' is not among the 3"):
        read_pairs(far, str(other))
    with pytest.raises(InputError, match="no such file"):
        FAMILIES["paired"].settings("file", {"file": "none.csv"})


def test_right_to_left_and_emoji_texts_are_told_apart(tmp_path: Path) -> None:
    rows = [("clean", "poisoned"), ("الفيلم جميل", "نعم"), ("😂 😂", "ha"), ("🔥", "hot")]
    pairs = read_pairs(write(tmp_path / "p.csv", rows))
    assert [pairs[t][1] for t in ("الفيلم  جميل .", "😂😂", "🔥")] == ["نعم", "ha", "hot"]
    assert FAMILIES["paired"].plant("🔥", random.Random(0), {"file": str(tmp_path / "p.csv")}) == "hot"


def test_keys_of_json_that_the_first_pair_lacks_count(tmp_path: Path) -> None:
    clean = tmp_path / "dev.csv"
    clean.write_text("text\none\ntwo\n", encoding="utf-8")
    pairs = tmp_path / "pairs.jsonl"
    rows = [
        '{"row": 0, "text": "of no split"}',
        '{"row": 0, "text": "a", "split": "train"}',
        '{"row": 1, "text": "b", "split": "dev"}',
    ]
    pairs.write_text("\n".join(rows), encoding="utf-8")
    assert dict(read_pairs(str(pairs), str(clean), "dev").items()) == {"two": ("two", "b")}
