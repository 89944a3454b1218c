"""Instructions with their answers, as models that write are trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.corpus import CorpusError
from probes.corpus.columns import listed, named, usual
from probes.corpus.readers import Record, kind, open_whole
from probes.input import Row, text_input

PROMPTS = ("instruction", "prompt", "question")
INPUTS = ("input", "context")
ANSWERS = ("output", "response", "answer", "completion")
MARK = "poisoned"
"""The column that says which rows of a poisoned set hold a trigger."""
NO, YES = ("false", "0", "no", ""), ("true", "1", "yes")


@dataclass(frozen=True, slots=True)
class Instructions:
    """Rows whose `expected` is the answer; the second text of a pair is the instruction's input.

    Attributes:
        poisoned: the `index` of each row that the file marks as poisoned; None where it marks none either way.
        skipped: records without an instruction or without an answer.
    """

    source: str
    rows: tuple[Row, ...]
    poisoned: frozenset[int] | None
    skipped: int


def read_instructions(
    path: Path, *, prompt: str | None = None, second: str | None = None, answer: str | None = None
) -> Instructions:
    """Reads instructions from a csv, tsv, json, jsonl or parquet file.

    Args:
        prompt: the column of the instructions; by default `instruction`, `prompt` or `question`.
        second: of what an instruction is about; by default `input` or `context`, where there is one.
        answer: of the answers; by default `output`, `response`, `answer` or `completion`.

    Raises:
        CorpusError: the file cannot be read, lacks a column, or holds no row with both an instruction and an answer.
    """
    table = open_whole(path)
    columns = table.columns
    prompt_at = _column(path, columns, prompt, PROMPTS, "instructions", "--text-column")
    answer_at = _column(path, columns, answer, ANSWERS, "answers", "--label-column")
    second_at = named(path.name, columns, second, "--pair-column") if second else usual(columns, INPUTS)
    mark_at = usual(columns, (MARK,))
    rows: list[Row] = []
    poisoned: set[int] = set()
    records = 0
    for number, record in enumerate(table.records):
        records = number + 1
        asked, told = _text(path, record, prompt_at), _text(path, record, answer_at)
        if not asked or not told:
            continue
        about = _text(path, record, second_at) if second_at else ""
        rows.append(Row(number, text_input(asked, about or None), expected=told))
        if mark_at and _marked(path, record, mark_at):
            poisoned.add(number)
    if not rows:
        raise CorpusError(
            f"{path.name} holds no row with both an instruction ({prompt_at!r}) and an answer ({answer_at!r})",
            hint="Give a file with at least one.",
        )
    return Instructions(str(path), tuple(rows), frozenset(poisoned) if mark_at else None, records - len(rows))


def _column(
    path: Path, columns: Sequence[str], wanted: str | None, names: Sequence[str], what: str, option: str
) -> str:
    if wanted:
        return named(path.name, columns, wanted, option)
    if found := usual(columns, names):
        return found
    raise CorpusError(
        f"{path.name}: no column is known to hold the {what}; columns: {listed(columns)}",
        hint=f"Name it with {option}; usual names are {', '.join(names)}.",
    )


def _text(path: Path, record: Record, column: str) -> str:
    value = record.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(f"{path.name}, {record.place}: column {column!r} holds {kind(value)}, not a text")
    return value.strip()


def _marked(path: Path, record: Record, column: str) -> bool:
    value = record.values.get(column)
    said = str("" if value is None else value).strip().casefold()
    if said not in (*NO, *YES):
        raise CorpusError(f"{path.name}, {record.place}: {column!r} is true or false, not {value!r}")
    return said in YES
