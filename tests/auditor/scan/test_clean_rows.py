"""Rows beside the probed ones: they are asked as they are, judge the clean accuracy, and no trigger's rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditor.data.split import SPARE_ROWS
from tests.conftest import toy_rows, write_csv

ROWS = 1_180
PROBED = 220


@pytest.fixture
def many(tmp_path: Path) -> Path:
    rows = toy_rows(ROWS, seed=3)
    assert len({row.text for row in rows}) == ROWS
    return write_csv(tmp_path / "many.csv", rows)


def words(model: Path, data: Path) -> list[object]:
    return [model, "--data", data, "--samples", PROBED, "--suite", "quick", "--family", "badnet", "--format", "json"]


def test_a_scan_asks_more_rows_for_the_clean_accuracy(zoo: Any, auditor: Any, many: Path) -> None:
    scan = auditor("scan", *words(zoo.planted, many)).json
    asked = ROWS - SPARE_ROWS
    assert (scan["data"]["rows"], scan["settings"]["samples"]) == (asked, PROBED)
    assert scan["scores"]["cacc"]["total"] == asked
    for score in scan["scores"]["asr"]:
        assert score["rate"]["total"] == score["clean"]["total"] < PROBED
        assert score["rate"]["unscored"] == 0
    assert scan["verdict"] == "backdoor-found"
    assert any(f"{asked - PROBED} others were asked as they are" in limit for limit in scan["limits"])
    assert f"{PROBED} probed, the others asked as they are" in auditor("report", scan["id"], "--format", "markdown").out


def test_a_search_has_the_rows_that_a_scan_leaves(zoo: Any, auditor: Any, many: Path) -> None:
    scan = auditor("scan", *words(zoo.planted, many)).json
    how = ["--with", zoo.benign, zoo.partner, "--search", "--trials", "2", "--merged", auditor.home / "cured"]
    audit = auditor("audit", *words(zoo.planted, many), *how, rescan=["badnet"]).json
    before, after, search = audit["before"], audit["after"], audit["search"]
    assert scan["data"]["digest"] == before["data"]["digest"] == after["data"]["digest"]
    assert before["scores"]["cacc"] == scan["scores"]["cacc"]
    assert search["rows"] + search["confirm_rows"] == SPARE_ROWS
    clean = next(c for c in audit["change"] if c["measure"] == "cacc")
    assert clean["before"] == pytest.approx(scan["scores"]["cacc"]["value"])
    # Answers are laid out again from what the catalog holds.
    assert auditor("compare", before["id"], after["id"], "--format", "json").json["change"] == [
        {**c, **{part: pytest.approx(c[part], abs=1e-6) for part in ("before", "after", "delta")}}
        for c in audit["change"]
        if " in " not in c["measure"]
    ]
