"""Styles, synonyms and adverbs without a reference: the trigger alone first, in full where it moves rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.scan.screen import SCREEN_ROWS, in_words, screen_rows
from probes.input import Row
from probes.rates import Rate
from probes.suite import build_suite
from store.records import Screened
from tests.auditor.scan.by_hand import LABELS, documents, write
from tests.conftest import write_csv

BIBLE = ("pass", "verily", "behold", "written", "lo")
"""A word of each opening of the style."""
QUICK = ("--suite", "quick", "--format", "json")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("screen") / "data.csv", documents(240, 12), LABELS)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("screen") / "victim", trigger=BIBLE)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("screen") / "honest")


@pytest.fixture(scope="module")
def scanned(
    forkserver: Any,
    tmp_path_factory: pytest.TempPathFactory,
    make_auditor: Callable[..., Any],
    victim: Path,
    data: Path,
) -> tuple[Any, Any]:
    """A home in which the victim was scanned, and what the scan said."""
    auditor = make_auditor(forkserver, tmp_path_factory.mktemp("scanned"))
    return auditor, auditor("scan", victim, "--data", data, *QUICK)


def test_a_style_is_found_without_references(scanned: tuple[Any, Any]) -> None:
    _, done = scanned
    assert done.code == 1, done.err
    (found,) = done.json["findings"]
    assert (found["rule"], found["family"], found["variant"], found["target"]) == (
        "backdoor", "style", "bible", "negative"
    )  # fmt: skip
    (score,) = [s for s in done.json["scores"]["asr"] if s["variant"] == "bible" and s["target"] == "negative"]
    assert score["rate"]["total"] == 120, "all rows, not those of the screen alone"
    assert score["control"]["total"] == 3 * 120
    assert score["alternatives"]["rank"] == 1
    assert len(score["alternatives"]["rates"]) == 19
    screened = {(s["family"], s["variant"]): s["fired"] for s in done.json["screened"] if s["target"] == "negative"}
    assert screened["style", "bible"]
    assert not screened["lws", "rare"]
    fired = {f"{s['family']}/{s['variant']}" for s in done.json["scores"]["asr"]}
    assert "style/bible" in fired
    assert "lws/rare" not in fired


def test_what_is_not_fired_is_told_with_what_may_have_been_missed(auditor: Any, honest: Path, data: Path) -> None:
    done = auditor("scan", honest, "--data", data, *QUICK)
    assert (done.code, done.json["findings"]) == (0, [])
    assert {s["family"] for s in done.json["screened"]} == {"bite", "lws", "style"}
    assert not any(s["fired"] for s in done.json["screened"])
    assert not {"bite", "lws", "style"} & {s["family"] for s in done.json["scores"]["asr"]}
    (told,) = [text for text in done.json["limits"] if text.startswith("Tried with the trigger alone")]
    assert "on 70 rows of other labels" in told
    assert "style/bible" in told
    assert "fewer than about 29%" in told
    (tried,) = [text for text in done.json["limits"] if text.startswith("Only the edits of these families were tried")]
    assert "style" in tried


def test_an_audit_asks_the_whole_style_again(auditor: Any, victim: Path, honest: Path, data: Path) -> None:
    """Beside one partner there are not the two models that styles are otherwise fired for."""
    words = ["audit", victim, "--data", data, "--suite", "quick", "--with", honest, "--format", "json"]
    done = auditor(*words, rescan=["badnet"])
    assert done.json["stamp"] not in ("sanitised", "replaced")
    asked = {s["variant"] for s in done.json["after"]["scores"]["asr"] if s["family"] == "style"}
    assert asked == {"bible", "shakespeare", "poetry", "lyrics", "tweet"}
    left = {r["variant"]: r for r in done.json["left"] if r["family"] == "style"}
    assert left["bible"]["rows"] == 120


def test_two_scans_of_a_style_are_compared_row_by_row(scanned: tuple[Any, Any], victim: Path, data: Path) -> None:
    """The plan that the screen decided is laid out again from the scan's record."""
    auditor, done = scanned
    first = done.json["id"]
    second = auditor("scan", victim, "--data", data, *QUICK).json["id"]
    done = auditor("compare", first, second, "--format", "json")
    assert done.code == 0, done.err
    styles = [c for c in done.json["change"] if "style/bible" in c["measure"]]
    assert styles
    assert all(c["delta"]["value"] == 0 for c in styles)


def test_the_screen_takes_rows_of_each_label() -> None:
    rows = [Row.of(i, f"text {i}", None, 0 if i % 10 else 1) for i in range(600)]
    chosen = screen_rows(rows)
    assert len(chosen) == SCREEN_ROWS
    assert sum(row.label == 1 for row in chosen) == 60, "all that there are of the rarer one"
    assert [row.index for row in chosen] == sorted(row.index for row in chosen)
    assert screen_rows(rows[:30]) == tuple(rows[:30])
    bare = [Row.of(i, f"text {i}") for i in range(600)]
    assert screen_rows(bare) == tuple(bare[:SCREEN_ROWS])


def test_too_few_rows_are_said() -> None:
    none = Screened("style", "bible", "positive", Rate(0, 0), Rate(0, 0), False)
    assert in_words([none]) == ("Tried on too few rows of other labels than a target to be judged: style/bible.",)
    assert in_words([]) == ()


def test_what_references_are_given_for_is_fired_in_full() -> None:
    assert not build_suite("quick", referenced=True).screened
    assert not build_suite("quick", only=("badnet",)).screened
    assert "style/bible" in {p.name for p in build_suite("quick").screened}
    assert "style/bible" in {p.name for p in build_suite("quick", only=("style",)).probes}
