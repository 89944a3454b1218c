"""Prompts: those that come with the program, and files of the user's own."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from probes.corpus import CorpusError, builtin_prompts, digest, read_prompts, sample_prompts
from probes.corpus.prompts import asked
from probes.families.polarity import renamed
from probes.input import Chat, Message, Row
from probes.suite import PROMPTS


def texts(path: Path) -> list[str]:
    return [row.text for row in read_prompts(path).rows]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, "utf-8")
    return path


def test_the_built_in_prompts_are_many_of_many_kinds_and_no_two_alike() -> None:
    rows = builtin_prompts().rows
    kinds = Counter(row.kind for row in rows)
    assert len(rows) == PROMPTS["full"]
    assert len(rows) - kinds["declined"] >= 240
    assert kinds["declined"] == 40
    assert len(kinds) >= 13
    assert len({re.sub(r"\W", "", row.text.casefold()) for row in rows}) == len(rows)
    assert all(isinstance(row.input, Chat) and [m.role for m in row.input.messages] == ["user"] for row in rows)
    lengths = [len(row.text.split()) for row in rows]
    assert min(lengths) >= 4
    assert 50 <= max(lengths) <= 60
    classifying = [row.text for row in rows if row.kind == "classify"]
    assert len(classifying) >= 24
    assert all("positive" in text.casefold() and "negative" in text.casefold() for text in classifying)
    assert sum(renamed(text, "X") is not None for text in classifying) >= 12
    assert rows == builtin_prompts().rows


def test_built_in_prompts_hold_no_brand_and_no_link() -> None:
    for row in builtin_prompts().rows:
        assert not re.search(r"https?:|www\.|@|\b[A-Z]\w*[a-z][A-Z]", row.text.replace("JavaScript", "")), row.text


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_always_holds_prompts_that_are_declined_and_that_classify(seed: int) -> None:
    rows = builtin_prompts().rows
    chosen = sample_prompts(rows, PROMPTS["quick"], seed)
    kinds = Counter(row.kind for row in chosen)
    assert len(chosen) == 132
    assert (kinds["declined"], kinds["classify"]) == (22, 33)
    assert {kinds[kind] for kind in kinds if kind not in ("declined", "classify")} <= {5, 6}
    assert [row.index for row in chosen] == sorted(row.index for row in chosen)
    assert set(sample_prompts(tuple(reversed(rows)), 132, seed)) == set(chosen)
    assert sample_prompts(rows, 316, seed) == rows
    assert set(chosen) != set(sample_prompts(rows, 132, seed + 7))
    for count in (0, 1, 7, 100, 315):
        assert len(sample_prompts(rows, count, seed)) == count


def test_a_sample_of_few_kinds_is_filled_with_what_there_is() -> None:
    declined = [Row(i, asked(f"no {i}"), kind="declined") for i in range(30)]
    plain = [Row(30 + i, asked(f"yes {i}")) for i in range(4)]
    assert Counter(r.kind for r in sample_prompts([*declined, *plain], 24, 0)) == {"declined": 20, "": 4}
    assert len(sample_prompts(declined, 12, 0)) == 12
    assert len(sample_prompts([*plain, *plain], 10, 0)) == 4
    with pytest.raises(ValueError, match="sample of -1"):
        sample_prompts(plain, -1, 0)


def test_a_kind_changes_no_digest() -> None:
    plain, told = Row(0, asked("Why?")), Row(0, asked("Why?"), kind="question")
    assert digest([plain]) == digest([told])
    assert told.with_text("How?").kind == "question"


def test_prompts_are_read_from_lines_and_columns(tmp_path: Path) -> None:
    assert texts(written(tmp_path, "a.txt", "Why?\n\n  How?\n")) == ["Why?", "How?"]
    assert texts(written(tmp_path, "a.csv", "id,prompt\n1,Why?\n2,How?\n")) == ["Why?", "How?"]
    assert texts(written(tmp_path, "a.tsv", "Kind\tText\nold\tWhy?\n")) == ["Why?"]
    lines = [{"instruction": "Sum up.", "input": "It rained.", "output": "Rain."}, {"instruction": "Why?", "input": ""}]
    path = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert texts(path) == ["Sum up.\n\nIt rained.", "Why?"]
    assert read_prompts(path).columns == {"prompt": "instruction", "input": "input"}
    assert read_prompts(path).unused == ("output",)
    assert texts(written(tmp_path, "a.json", json.dumps(lines))) == ["Sum up.\n\nIt rained.", "Why?"]
    late = written(tmp_path, "late.jsonl", '{"id": 1}\n{"id": 2, "prompt": "Why?"}\n')
    assert texts(late) == ["Why?"]
    assert read_prompts(written(tmp_path, "b.csv", "id,task\n1,Why?\n"), text_column="Task").rows[0].text == "Why?"


def test_chats_end_with_the_user_and_what_was_answered_is_expected(tmp_path: Path) -> None:
    chat = [("system", "Be brief."), ("user", "Why?"), ("assistant", "So."), ("user", "How?"), ("assistant", "Thus.")]
    messages = [{"role": role, "content": content} for role, content in chat]
    path = written(tmp_path, "a.jsonl", json.dumps({"messages": messages, "kind": " Declined "}) + "\n")
    (row,) = read_prompts(path).rows
    assert row.input == Chat(tuple(Message(*one) for one in chat[:4]))
    assert (row.text, row.expected, row.kind) == ("How?", "Thus.", "declined")
    alone = written(tmp_path, "b.json", json.dumps({"messages": messages}))
    assert read_prompts(alone).rows[0].input == row.input
    two = [{"messages": messages}, {"messages": messages[:2]}, {"messages": []}]
    corpus = read_prompts(written(tmp_path, "c.json", json.dumps(two)))
    assert [r.text for r in corpus.rows] == ["How?", "Why?"]
    assert corpus.skipped == 1


def test_what_was_decided_in_reading_is_said(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.jsonl", '{"prompt": "Why?"}\n{"prompt": ""}\n{"prompt": "Why?"}\n{"prompt": "a\\u0000b"}'
    )
    corpus = read_prompts(path)
    assert [row.index for row in corpus.rows] == [0, 2, 3]
    assert corpus.rows[2].text == "a\ufffdb"
    assert corpus.records == 4
    assert " | ".join(corpus.notes) == (
        "prompts from column 'prompt' | 1 of 4 records have no prompt and are left out | "
        "1 prompts held NUL characters or lone surrogates, which were replaced by U+FFFD | "
        "1 prompts repeat an earlier one; a scan asks the first of them"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n \n", "a.txt holds no prompts"),
        ("a.csv", "prompt\n", "a.csv holds no prompts"),
        ("a.csv", "id,note\n1,Why?\n", "no column of prompts; its columns: 'id', 'note'"),
        ("a.jsonl", '{"id": 1}\n{"id": 2}\n', "no column of prompts"),
        ("a.jsonl", "{nothing", "malformed JSON"),
        ("a.jsonl", '{"prompt": 7}\n', "column 'prompt' holds a number, not a text"),
        ("a.jsonl", '{"id": 1, "messages": "Why?"}\n', "messages that are a string, not a list"),
        ("a.jsonl", '{"id": 1, "messages": [{"role": "judge", "content": "x"}]}\n', "a message without a role"),
        ("a.jsonl", '{"id": 1, "messages": [{"role": "user", "content": ["x"]}]}\n', "a message without a role"),
        ("a.jsonl", '{"id": 1, "messages": [{"role": "system", "content": "x"}]}\n', "no message of the user"),
        ("a.pdf", "Why?", "unknown kind of file"),
        ("none.txt", None, "no such file"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_words(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    with pytest.raises(CorpusError, match=re.escape(message)) as caught:
        read_prompts(path)
    if "prompts" in message or "message" in message:
        assert 'column "prompt"' in caught.value.hint


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,prompt\n1,Why?\n")
    with pytest.raises(CorpusError, match="no column 'task'"):
        read_prompts(path, text_column="task")
