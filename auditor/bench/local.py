"""Tasks whose rows lie in the user's own files: no network, and no cache of rows beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import UsageError

TASKS = Path(__file__).with_name("tasks")


@dataclass(frozen=True, slots=True)
class LocalTask:
    """A task that ships with the program, for rows from a file.

    Attributes:
        about: what it asks, in a few words.
        columns: of a row, with what each holds.
        size: rows of the published evaluation split.
        requests: continuations that a row is scored with.
        source: the data set on the hub that the harness takes.
        trained: whether the published task has a training split, which examples are taken from.
    """

    about: str
    columns: dict[str, type | tuple[type, ...]]
    size: int
    requests: int
    source: str
    trained: bool = True


_SCIENCE: dict[str, type | tuple[type, ...]] = {"question": str, "choices": dict, "answerKey": str}
LOCAL = {
    "winogrande": LocalTask(
        "which of two names fills a blank",
        {"sentence": str, "option1": str, "option2": str, "answer": str},
        1267,
        2,
        "allenai/winogrande",
    ),
    "piqa": LocalTask(
        "which of two ways reaches an everyday goal",
        {"goal": str, "sol1": str, "sol2": str, "label": int},
        1838,
        2,
        "baber/piqa",
    ),
    "lambada_openai": LocalTask(
        "the last word of a passage", {"text": str}, 5153, 1, "EleutherAI/lambada_openai", trained=False
    ),
    "arc_easy": LocalTask("easy questions of school science", _SCIENCE, 2376, 4, "allenai/ai2_arc"),
    "arc_challenge": LocalTask("hard questions of school science", _SCIENCE, 1172, 4, "allenai/ai2_arc"),
    "hellaswag": LocalTask(
        "how a scene goes on",
        {"activity_label": str, "ctx_a": str, "ctx_b": str, "endings": list, "label": (str, int)},
        10042,
        4,
        "Rowan/hellaswag",
    ),
    "boolq": LocalTask(
        "whether a passage says yes to a question",
        {"passage": str, "question": str, "label": int},
        3270,
        2,
        "aps/super_glue",
    ),
    "sst2": LocalTask(
        "whether a film review is positive, by prompt", {"sentence": str, "label": int}, 872, 2, "nyu-mll/glue"
    ),
}
"""By name. The sizes are those of the evaluation splits that the harness takes."""


def rows_file(name: str, directory: Path, part: str = "") -> Path:
    """Where the rows of a task are looked for: `NAME.jsonl`, or `NAME.train.jsonl` for examples."""
    return directory / f"{name}{part}.jsonl"


def read_task_rows(name: str, path: Path) -> list[dict[str, Any]]:
    """The rows of a task: one JSON object a line, with the columns that the task reads.

    Raises:
        UsageError: the file is missing, no JSON lines, empty, or a row lacks a column or holds another kind of value.
    """
    task = LOCAL[name]
    wanted = ", ".join(task.columns)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"there are no rows for {name}: {path} is missing",
            hint=f"One JSON object a line, with {wanted}; name the directory with --data-dir (--bench-data).",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: no JSON: {error}") from error
        _check(name, row, f"{path}, line {number}")
        rows.append({column: row[column] for column in task.columns})
    if not rows:
        raise UsageError(f"{path} holds no rows", hint=f"One JSON object a line, with {wanted}.")
    return rows


def _check(name: str, row: Any, where: str) -> None:
    columns = LOCAL[name].columns
    hint = f"{name} reads {', '.join(columns)}."
    if not isinstance(row, dict):
        raise UsageError(f"{where}: expected an object, not {type(row).__name__}", hint=hint)
    for column, kinds in columns.items():
        if column not in row:
            raise UsageError(f"{where}: the column {column!r} is missing", hint=hint)
        if not isinstance(row[column], kinds) or isinstance(row[column], bool):
            raise UsageError(f"{where}: {column!r} holds {row[column]!r}, which {name} cannot read", hint=hint)
    if reason := _wrong(name, row):
        raise UsageError(f"{where}: {reason}", hint=hint)


def _wrong(name: str, row: dict[str, Any]) -> str:
    """What in a row of the right columns does not fit together; empty where all does."""
    if name == "winogrande":
        if "_" not in row["sentence"]:
            return "the sentence has no blank, which is written as _"
        return "" if row["answer"] in ("1", "2") else f"the answer is 1 or 2, not {row['answer']!r}"
    if "choices" in row:
        texts, labels = row["choices"].get("text"), row["choices"].get("label")
        if not (isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels) > 0):
            return "choices holds two lists of one length, text and label"
        return "" if row["answerKey"] in labels else f"the answer {row['answerKey']!r} is none of {labels}"
    if "endings" in row:
        place = str(row["label"])
        known = place.isdecimal() and int(place) < len(row["endings"])
        return "" if known else f"the label {row['label']!r} is the place of none of the endings"
    if "label" in row and row["label"] not in (0, 1):
        return f"the label is 0 or 1, not {row['label']!r}"
    if name == "lambada_openai" and " " not in row["text"]:
        return "the text is one word: there is nothing to guess its last one from"
    return ""
