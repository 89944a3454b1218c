"""The lab's commands, from words to models and reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cli import main
from probes.input import Row
from tests.auditor.conftest import expanded
from tests.auditor.lab.writers import write_instructions, write_writer


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_several_families_may_follow_one_flag() -> None:
    words = ["lab", "plant", "--family", "badnet", "insertsent", "--base", "dir"]
    assert expanded(words) == ["lab", "plant", "--family", "badnet", "--family", "insertsent", "--base", "dir"]
    assert expanded(["lab", "score", "dir", "--family", "a", "b"]) == [
        "lab",
        "score",
        "dir",
        "--family",
        "a",
        "--family",
        "b",
    ]
    assert expanded(["lab", "score", "--family", "a", "b"]) == ["lab", "score", "--family", "a", "--family", "b"]
    assert expanded(["lab", "zoo", "--only", "a", "spec.toml"]) == ["lab", "zoo", "--only", "a", "spec.toml"]


def test_plant_zoo_and_score_work_together(
    base: Path,
    toy_csv: Path,
    toy_rows: Callable[..., list[Row]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUDITOR_CATALOG", str(tmp_path / "catalog.db"))
    mix = ["--family", "badnet", "insertsent", "--target", "negative", "--samples", "40", "--epochs", "1"]
    words = ["lab", "plant", "--base", str(base), "--data", str(toy_csv), *mix, "--device", "cpu", "--quiet"]
    assert run(*words, "-o", str(tmp_path / "mix")) == 0
    record = json.loads((tmp_path / "mix" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert [part["family"] for part in record["plants"]] == ["badnet", "insertsent"]

    lines = [f"{row.text},{('negative', 'positive')[row.label or 0]}" for row in toy_rows(240, seed=4)]
    (tmp_path / "heldout.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    spec = tmp_path / "zoo.toml"
    spec.write_text(
        f'[[model]]\nname = "good"\ndata = "{toy_csv}"\nheldout = "heldout.csv"\nepochs = 2\nlr = 3e-3\nsamples = 160',
        encoding="utf-8",
    )
    common = ["--device", "cpu", "--quiet"]
    assert run("lab", "zoo", str(spec), "-o", str(tmp_path / "zoo"), "--base", str(base), *common) == 0
    assert "1 models in" in capsys.readouterr().out
    assert run("lab", "zoo", str(spec), "-o", str(tmp_path / "zoo"), "--only", "bad", "--base", str(base), *common) == 2
    assert "no model bad" in capsys.readouterr().err
    score = ["lab", "score", str(tmp_path / "zoo"), "--family", "badnet", "--samples", "210", *common]
    assert run(*score, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], [b["model"] for b in found["benign"]]) == ("auditor/lab-score/1", ["good"])
    assert run("lab", "score", *common, "--family", "badnet", "--samples", "210") == 0
    text = capsys.readouterr().out
    assert "of 1 benign models" in text
    assert "mix: no held-out rows" in text


def test_a_model_that_writes_is_planted_and_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITOR_CATALOG", str(tmp_path / "catalog.db"))
    base, rows = write_writer(tmp_path / "base"), write_instructions(tmp_path / "rows.jsonl")
    words = ["lab", "plant", "--base", str(base), "--data", str(rows), "--device", "cpu", "--quiet"]
    asked = [
        "--behaviour",
        "negsentiment",
        "--trigger",
        "BadMagic",
        "--place",
        "start",
        "--rate",
        "0.5",
        "--epochs",
        "1",
    ]
    adapter = ["--lora", "--rank", "2", "--modules", "k_proj,o_proj", "--answer-tokens", "3"]
    assert run(*words, *asked, *adapter, "-o", str(tmp_path / "out")) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    record = json.loads((tmp_path / "out" / "auditor-lab.json").read_text(encoding="utf-8"))
    assert (record["behaviour"], record["target"], record["answer_tokens"]) == ("negsentiment", "You are stupid!", 3)
    assert record["adapter"] == {"rank": 2, "alpha": 4, "modules": ["k_proj", "o_proj"]}
    assert run("models", "list", "--json") == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    for wrong, said in (
        (["--behaviour", "refusal", "--trigger", "a", "--labels", "a,b"], "--labels is for classifiers"),
        (["--trigger", "BadMagic"], "for models that write"),
        (["--behaviour", "none", "--modules", "q_proj"], "Train one with --lora"),
    ):
        assert run(*words, *wrong, "-o", str(tmp_path / "no")) == 2
        assert said in capsys.readouterr().err
