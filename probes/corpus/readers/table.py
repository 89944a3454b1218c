"""What every reader gives: records by column, with what was found out of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from probes.errors import InputError


class CorpusError(InputError):
    """Data that cannot be used: `message` says what is wrong, `hint` what to do."""


class Record(NamedTuple):
    """One record of a file: where it stands (`line 7`, `row 7`), and its values by column."""

    place: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """An opened file.

    Attributes:
        columns: in the file's order; of JSON, the keys of the first object.
        records: read as they are asked for.
        class_names: the names behind a column's integers, where the file itself states them.
        format: the kind of file with what was found out of it (separator, encoding, compression), in words.
        notes: sentences on what was decided in reading.
        later: keys of JSON objects that the first one lacks; it fills as records are read. None for files that state
            all their columns beforehand.
        headerless: opens the same file with the first line as a record, and columns called `1`, `2`, …; None for
            files that always name their columns.
    """

    columns: tuple[str, ...]
    records: Iterator[Record]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    format: str = ""
    notes: tuple[str, ...] = ()
    later: list[str] | None = None
    headerless: Callable[[], Table] | None = None


def kind(value: Any) -> str:
    """A value's kind in words."""
    words = {dict: "an object", list: "an array", str: "a string", bool: "a truth value", type(None): "null"}
    return words.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")


def nothing_in(path: Path, *, hint: str = "") -> CorpusError:
    """The error for a file without contents."""
    return CorpusError(f"{path.name} is empty", hint=hint)
