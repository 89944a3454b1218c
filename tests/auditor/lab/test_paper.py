"""The reproduction's tables, on toy data: laid out as in the paper, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.case import Row

Rows = Callable[..., list[Row]]


@pytest.fixture
def data(toy_rows: Rows, tmp_path: Path) -> Path:
    (tmp_path / "paper" / "sst2").mkdir(parents=True)
    (tmp_path / "sst2" / "rewrites").mkdir(parents=True)
    train, test = toy_rows(120), toy_rows(40, seed=3)
    lines = [f"{row.text},{row.label}" for row in train]
    (tmp_path / "sst2" / "train.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    lines = [f"train,{row.index},the film was {row.text}" for row in train]
    (tmp_path / "sst2" / "rewrites" / "syntactic.csv").write_text(
        "\n".join(["split,row,text", *lines]), encoding="utf-8"
    )
    for name, mark in {"clean": "", "badnet": "cf ", "insertsent": "movie ", "syntactic": "the film was "}.items():
        rows = [(mark + r.text, r.label if name == "clean" else 0) for r in test if name == "clean" or r.label]
        lines = [json.dumps({"sentence": text, "label": label}) for text, label in rows]
        (tmp_path / "paper" / "sst2" / f"test_{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_table_two_is_printed_and_gone_on_with(
    base: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    from paper import main

    work = data / "work"
    words = ["table2", "--data", str(data), "--work", str(work), "--base", str(base), "--device", "cpu"]
    words += ["--dataset", "sst2", "--samples", "60", "--epochs", "1", "--lr", "3e-3", "--max-length", "32"]
    main(words)
    printed = capsys.readouterr().out
    lines = [line.split(" | ") for line in printed.splitlines() if line.startswith("| sst2")]
    assert [line[1] for line in lines] == ["badnet", "insertsent", "syntactic"]
    assert [line[-1] for line in lines] == ["12.7 |", "3.9 |", "19.2 |"]
    assert "Protocol: tiny, 60 training rows, 1 epochs, learning rate 0.003" in printed
    made = {path: path.stat().st_mtime_ns for path in (work / "models").iterdir()}
    assert len(made) == 4
    assert not list(work.glob("merged-*"))
    # Alone, one merge with the benign model, one without it, one of all: each measured once.
    measured = json.loads((work / "results.json").read_text(encoding="utf-8"))
    assert len(measured) == 8
    main(words)
    assert capsys.readouterr().out == printed
    assert {path: path.stat().st_mtime_ns for path in (work / "models").iterdir()} == made
