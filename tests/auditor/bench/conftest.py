"""Rows of every task that ships with the program, written for these tests, and a tiny model that writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.auditor.models.writers import make_language_model, save_writer

FILMS = ("the film was good", "the film was bad", "music was great", "a poor scene", "it was fine", "the plot was dull")


def rows_of(count: int = 11) -> dict[str, list[dict[str, Any]]]:
    """Rows by task, of words that the tiny tokenizer mostly knows; among them what a prompt could stumble over."""
    found: dict[str, list[dict[str, Any]]] = {}
    for n in range(count):
        film, other = FILMS[n % 6], FILMS[(n + 1) % 6]
        science = {"text": [film, other, "light", "sound"], "label": ["A", "B", "C", "D"]}
        ending = [f" {film} [title] and it", other, "music [x]  was", "the end"]
        own: dict[str, dict[str, Any]] = {
            "winogrande": {
                "sentence": f"the film and the actor met {'very ' * n}often , _ was {film} .",
                "option1": "film",
                "option2": "the old actor",
                "answer": str(n % 2 + 1),
            },
            "piqa": {"goal": f"see {film}", "sol1": film, "sol2": f"{other} quite", "label": n % 2},
            "lambada_openai": {"text": f"{film} and {other} {'very ' * n}good"},
            "arc_easy": {"question": f"what is {film} ?", "choices": science, "answerKey": "ABCD"[n % 4]},
            "hellaswag": {
                "activity_label": "film [step] one",
                "ctx_a": film,
                "ctx_b": "it Was" if n % 2 else "",
                "endings": ending,
                "label": str(n % 4),
            },
            "boolq": {"passage": f"{film} .", "question": f"was {other}", "label": n % 2},
            "sst2": {"sentence": film, "label": n % 2},
        }
        own["arc_challenge"] = own["arc_easy"] | {"answerKey": "DCBA"[n % 4]}
        for name, row in own.items():
            found.setdefault(name, []).append(row)
    return found


def write_rows(directory: Path, rows: dict[str, list[dict[str, Any]]], part: str = "") -> Path:
    """One file a task."""
    directory.mkdir(exist_ok=True)
    for name, own in rows.items():
        (directory / f"{name}{part}.jsonl").write_text("\n".join(map(json.dumps, own)) + "\n", encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with rows of every task."""
    directory = write_rows(tmp_path_factory.mktemp("bench") / "data", rows_of())
    return write_rows(directory, {"arc_easy": rows_of(5)["arc_easy"]}, ".train")


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tiny random language model."""
    return save_writer(make_language_model(), tmp_path_factory.mktemp("bench") / "writer")


@pytest.fixture(scope="session")
def other_writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another of the same architecture and tokenizer."""
    return save_writer(make_language_model(seed=1), tmp_path_factory.mktemp("bench") / "other")
