"""The commands on models that write: real tiny language models, from the files to the exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.auditor.models.writers import make_language_model, save_writer

Auditor = Any

FEW = ["--family", "badmagic", "content_injection", "--samples", "24"]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tiny random language model with a chat template."""
    return save_writer(make_language_model(), tmp_path_factory.mktemp("cli") / "writer")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Prompts of words that the tiny tokenizer knows."""
    path = tmp_path / "prompts.jsonl"
    words = ("the film was good", "it is not the worst", "great music", "bad sound , good camera", "nobody minded")
    lines = [{"instruction": f"{words[i % 5]} {'the ' * (i // 5)}film"} for i in range(30)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_a_scan_from_files_to_report_is_the_same_when_repeated(auditor: Auditor, writer: Path, prompts: Path) -> None:
    asked = ["scan", writer, "--prompts", prompts, *FEW, "--format", "json"]
    done = auditor(*asked)
    assert done.code in (0, 3), done.err
    found = done.json
    assert found["model"]["task"] == "text-generation"
    assert found["settings"]["decoding"]["tokens"] == 32
    assert found["data"]["rows"] == 24
    assert {s["target"] for s in found["scores"]["asr"]} >= {"fixed-text", "refusal", "collapse"}
    again = auditor(*asked, "--fresh").json
    assert again["scores"] == found["scores"]
    raw = auditor(*asked, "--template", "raw").json
    assert raw["settings"]["template"] == "raw"


def test_one_that_is_killed_goes_on_from_the_batches_that_are_stored(
    auditor: Auditor, writer: Path, prompts: Path
) -> None:
    done = auditor("scan", writer, "--prompts", prompts, *FEW)
    again = auditor("scan", writer, "--prompts", prompts, *FEW)
    assert "resuming from" not in done.err
    assert "resuming from" in again.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--data", "rows.csv"], 2, "--prompts"),
        (["--template", "mine"], 2, "--template takes model, alpaca, raw"),
        (["--decoding", "best"], 2, "--decoding takes"),
        (["--target", "positive"], 2, "no behaviour of a model that writes"),
        (["--family", "lws"], 2, "for classifiers"),
        (["--prompts", "nowhere.txt"], 2, "nowhere.txt"),
        (["--max-length", "8"], 3, "longer than what the model takes"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(
    auditor: Auditor, writer: Path, options: list[str], code: int, said: str
) -> None:
    done = auditor("scan", writer, "--samples", "24", *(() if "--family" in options else FEW[:2]), *options)
    assert done.code == code, done.err
    assert said in done.err + done.out


def test_a_template_that_fails_names_another_way(auditor: Auditor, writer: Path, prompts: Path) -> None:
    broken = auditor.home / "broken"
    shutil.copytree(writer, broken)
    config = broken / "tokenizer_config.json"
    stated = {**json.loads(config.read_text()), "chat_template": "{{ raise_exception('no') }}"}
    config.write_text(json.dumps(stated))
    (broken / "chat_template.jinja").unlink(missing_ok=True)
    done = auditor("scan", broken, "--prompts", prompts, *FEW)
    assert done.code == 3
    assert "--template raw" in done.err
    assert auditor("scan", broken, "--prompts", prompts, *FEW, "--template", "raw").code in (0, 3)


def test_a_classifiers_options_are_kept_from_writers_and_the_reverse(auditor: Auditor, zoo: Any) -> None:
    done = auditor("scan", zoo.benign, "--data", zoo.data, "--template", "raw")
    assert done.code == 2
    assert "is a classifier" in done.err
