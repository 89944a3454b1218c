"""Prompts to probe a model that writes with: the user's own file, or those written for this project."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from probes.corpus.columns import listed, named, usual
from probes.corpus.corpus import REPLACEMENT, UNUSABLE, Corpus, text_of
from probes.corpus.readers import CorpusError, Record, Table, kind, open_table, open_whole
from probes.input import Chat, Message, Row
from probes.sampling import allot, content, distinct

DECLINED = "declined"
"""Prompts that a well-behaved assistant declines."""
CLASSIFY = "classify"
"""Prompts that ask for one of a few labels."""
SHARES: Mapping[str, float] = {DECLINED: 1 / 6, CLASSIFY: 1 / 4}
"""By kind, the share of a sample that it has, where there are as many: some behaviours are told on these alone."""

TEXT_COLUMNS = ("instruction", "prompt", "text", "question")
"""Columns that hold prompts, the first that a file has."""
ROLES = ("system", "user", "assistant")
FORMS = (
    'Give a .txt file with one prompt a line, or a file with a column "prompt", "instruction" (and "input"), "text", '
    'or "messages" (a list of objects with "role" and "content").'
)


def builtin_prompts() -> Corpus:
    """The prompts that come with the program, each a chat of one message and of a kind."""
    with as_file(files("probes") / "data" / "prompts.csv") as path:
        records = list(open_table(path).records)
    rows = tuple(
        Row(i, asked(record.values["text"]), kind=str(record.values["kind"])) for i, record in enumerate(records)
    )
    refused = sum(row.kind == DECLINED for row in rows)
    note = f"no prompts of your own: {len(rows)} built-in ones, {refused} of them such as assistants decline"
    return Corpus("builtin:prompts", rows, None, 0, (note,), format="built-in prompts", records=len(rows))


def read_prompts(path: Path, *, text_column: str | None = None) -> Corpus:
    """Reads prompts from a txt, csv, tsv, jsonl, json or parquet file, each as a chat.

    A chat's last messages of the assistant are left out: the first of them is what is expected of the model. A column
    `kind` names kinds of prompts, of which `declined` and `classify` mean something to scans.

    Raises:
        CorpusError: the file cannot be read, has no column of prompts, or holds no prompt.
    """
    table = open_table(path)
    columns = prompt_columns(path, table, text_column)
    if columns is None and table.later is not None:
        # The columns of JSON are the keys of all its objects: those of later ones are known once they were read.
        table = open_whole(path)
        columns = prompt_columns(path, table, text_column)
    if columns is None:
        raise CorpusError(f"{path.name} has no column of prompts; its columns: {listed(table.columns)}", hint=FORMS)
    rows, records, replaced = [], 0, 0
    for number, record in enumerate(columns.chats(table.records)):
        records = number + 1
        found = columns.chat(path, record)
        if found is None:
            continue
        clean = tuple(Message(m.role, UNUSABLE.sub(REPLACEMENT, m.content)) for m in found)
        replaced += clean != found
        ask, expected = unanswered(path, record, clean)
        rows.append(Row(number, ask, expected=expected, kind=columns.kind_of(record)))
    if not rows:
        raise CorpusError(f"{path.name} holds no prompts", hint=FORMS)
    notes = [*table.notes, f"prompts from {columns.words}"]
    if skipped := records - len(rows):
        notes.append(f"{skipped} of {records} records have no prompt and are left out")
    if replaced:
        notes.append(f"{replaced} prompts held NUL characters or lone surrogates, which were replaced by U+FFFD")
    if again := len(rows) - len(distinct(rows)):
        notes.append(f"{again} prompts repeat an earlier one; a scan asks the first of them")
    unused = tuple(c for c in (*table.columns, *(table.later or ())) if c not in columns.uses.values())
    return Corpus(str(path), tuple(rows), None, skipped, tuple(notes), table.format, columns.uses, unused, records)


def sample_prompts(rows: Sequence[Row], count: int, seed: int) -> tuple[Row, ...]:
    """At most `count` distinct prompts, in their order.

    A sixth are such as assistants decline, a quarter such as classify, where there are as many; other kinds share the
    rest evenly. Within a kind the choice is by hash of the seed and the prompt, so it does not depend on order.

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"a sample of {count} prompts")
    pool = distinct(rows)
    if count >= len(pool):
        return pool
    salt = f"{seed}\x1f".encode()
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(pool):
        kinds[row.kind].append(place)
    for places in kinds.values():
        places.sort(key=lambda place: hashlib.sha256(salt + content(pool[place])).digest())
    fixed = {own: min(len(kinds[own]), round(share * count)) for own, share in SHARES.items() if own in kinds}
    others = sorted(own for own in kinds if own not in fixed)
    rest = count - sum(fixed.values())
    available = sum(len(kinds[own]) for own in others)
    for own in fixed:
        # Where the others are too few, these fill the sample.
        spare = min(max(rest - available, 0), len(kinds[own]) - fixed[own])
        fixed[own] += spare
        rest -= spare
    shares = dict(zip(others, allot([len(kinds[own]) for own in others], rest), strict=True)) if others else {}
    chosen = [place for own, share in {**fixed, **shares}.items() for place in kinds[own][:share]]
    return tuple(pool[place] for place in sorted(chosen))


def asked(text: str) -> Chat:
    """A chat of one message of the user."""
    return Chat((Message("user", text),))


@dataclass(frozen=True)
class PromptColumns:
    """Which columns hold prompts, and how. `whole` says that the file's records are the messages of one chat."""

    uses: Mapping[str, str]
    whole: bool = False

    @property
    def words(self) -> str:
        """The columns in words."""
        if self.whole:
            return "the messages of one chat"
        shown = [repr(column) for use, column in self.uses.items() if use != "kind"]
        return ("columns " if len(shown) > 1 else "column ") + " and ".join(shown)

    def chats(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records, each of which holds a chat."""
        if self.whole:
            yield Record("item 1", {"messages": [dict(record.values) for record in records]})
        else:
            yield from records

    def chat(self, path: Path, record: Record) -> tuple[Message, ...] | None:
        """The messages of a record; None where it holds no text."""
        if "messages" in self.uses:
            return messages_of(path, record, record.values.get(self.uses["messages"]))
        parts = [text_of(path, record, self.uses[use]).strip() for use in ("prompt", "input") if use in self.uses]
        if not parts[0].replace("\0", ""):
            return None
        return asked("\n\n".join(part for part in parts if part)).messages

    def kind_of(self, record: Record) -> str:
        """The kind that a record names, in lower case; empty where it names none."""
        value = record.values.get(self.uses["kind"]) if "kind" in self.uses else None
        return value.strip().casefold() if isinstance(value, str) else ""


def prompt_columns(path: Path, table: Table, wanted: str | None) -> PromptColumns | None:
    """The columns of a file that hold prompts; None where none is known.

    Raises:
        CorpusError: the column that was asked for is not there.
    """
    columns = table.columns
    kinds = {"kind": found} if (found := usual(columns, ["kind"])) else {}
    if wanted:
        return PromptColumns({"prompt": named(path.name, columns, wanted, "--text-column"), **kinds})
    if found := usual(columns, ["messages"]):
        return PromptColumns({"messages": found, **kinds})
    if found := usual(columns, TEXT_COLUMNS):
        beside = usual(columns, ["input"]) if found.casefold() == "instruction" else None
        return PromptColumns({"prompt": found, **({"input": beside} if beside else {}), **kinds})
    if usual(columns, ["role"]) and usual(columns, ["content"]):
        return PromptColumns({"messages": "messages"}, whole=True)
    return None


def messages_of(path: Path, record: Record, value: Any) -> tuple[Message, ...] | None:
    """The messages that a value holds; None where it holds none.

    Raises:
        CorpusError: it is no list of messages with a role and a text.
    """
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise CorpusError(f"{path.name}, {record.place}: messages that are {kind(value)}, not a list", hint=FORMS)
    found = []
    for message in value:
        role = message.get("role") if isinstance(message, dict) else None
        text = message.get("content") if isinstance(message, dict) else None
        if role not in ROLES or not isinstance(text, str):
            raise CorpusError(
                f"{path.name}, {record.place}: a message without a role ({', '.join(ROLES)}) and a text", hint=FORMS
            )
        found.append(Message(role, text))
    return tuple(found)


def unanswered(path: Path, record: Record, messages: tuple[Message, ...]) -> tuple[Chat, str | None]:
    """A chat up to its last message of the user, and what the assistant says to that, None where it says nothing.

    Raises:
        CorpusError: the user says nothing.
    """
    places = [i for i, message in enumerate(messages) if message.role == "user" and message.content.strip()]
    if not places:
        raise CorpusError(f"{path.name}, {record.place}: no message of the user", hint=FORMS)
    last = places[-1] + 1
    answers = [message.content for message in messages[last:] if message.role == "assistant"]
    return Chat(messages[:last]), answers[0] if answers else None
