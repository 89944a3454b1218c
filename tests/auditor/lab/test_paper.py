"""The reproduction's tables, on toy data: laid out as in the paper, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.input import Row

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


def test_strategies_are_judged_on_the_same_models_and_reported(
    base: Path, data: Path, toy_rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    from paper import main as paper
    from strategies import main

    lines = [f"{row.text},{row.label}" for row in toy_rows(30, seed=9)]
    (data / "sst2" / "test.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    work = data / "work"
    common = ["--work", str(work), "--base", str(base), "--device", "cpu", "--dataset", "sst2"]
    common += ["--samples", "60", "--epochs", "1", "--lr", "3e-3", "--max-length", "32"]
    paper(["table2", "--data", str(data), *common])
    models = {path.name for path in (work / "models").iterdir()}
    averages = capsys.readouterr().out.splitlines()[-5].split(" | ")
    words = ["--strategies", "fisher", "guided_substitution", "slerp", "ties", "wag", *common]
    words += ["--set", "ties.density=0.5"]

    main([*words, "--report"])
    assert "| ties | not judged | not judged | not judged |" in capsys.readouterr().out
    main([*words, "--data", str(data)])
    printed = capsys.readouterr().out
    pairs, together = (part.splitlines() for part in printed.split("#### ")[1:])
    assert [line.split(" | ")[0] for line in pairs if line.startswith("| ")] == [
        "| strategy", "| none", "| wag", "| fisher", "| guided_substitution", "| slerp", "| ties",
    ]  # fmt: skip
    assert "| none, as published | 100.0 | 100.0 | 95.7 |" in together
    assert "| wag, as published | 12.7 / 92.9 | 3.9 / 92.9 | 19.2 / 92.9 |" in together
    assert "| slerp | refused [2] | refused [2] | refused [2] |" in together
    assert "[2] strategy slerp merges two models, not 4" in together
    assert "not judged" not in printed
    assert "with ties.density=0.5;" in printed
    # The averages are those of table 2: last line, syntactic.
    (wag,) = [line.split(" | ") for line in pairs if line.startswith("| wag")]
    assert wag[3].strip(" |") == averages[3]
    # The models are those of table 2, merges are deleted, and nothing is done twice.
    assert {path.name for path in (work / "models").iterdir()} == models
    assert not list(work.glob("merged-*"))
    stamps = [(work / name).stat().st_mtime_ns for name in ("results.json", "strategies.json")]
    for more in (["--report"], ["--data", str(data)]):
        main([*words, *more])
        assert capsys.readouterr().out == printed
    assert (work / "results.json").stat().st_mtime_ns == stamps[0]
