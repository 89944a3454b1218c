"""What forms share: reading their fields."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from probes.errors import InputError
from probes.plugin import coerce_option


def words_of(text: str) -> tuple[str, ...]:
    """A field's words, as a shell would cut them; quotes keep blanks together. An open quote is taken for a letter."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def positive(text: str) -> int | None:
    """A whole number above 0; None for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) < 10**9 else None


def as_number(text: str) -> float | None:
    """A number; None for anything else."""
    try:
        return float(text)
    except ValueError:
        return None


def read_entries(entries: Sequence[str]) -> dict[str, dict[str, str]]:
    """`NAME.option=value` entries by name, without those that `wrong_set` refuses for their form."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        name, dot, rest = entry.partition(".")
        key, equals, value = rest.partition("=")
        if dot and equals and name and key:
            found.setdefault(name, {})[key] = value
    return found


def wrong_set(entry: str, options: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What is wrong with a `NAME.option=value` entry, for options by name; None where nothing is."""
    name, dot, rest = entry.partition(".")
    key, equals, value = rest.partition("=")
    if not (dot and equals and name and key):
        return f"{entry} is not NAME.option=value"
    if name not in options:
        return f"{name} is not chosen; chosen: {', '.join(options)}"
    try:
        coerce_option(name, key, value, options[name])
    except InputError as error:
        return error.message
    return None


def option_text(value: Any) -> str:
    """An option's value as one types it."""
    return "|".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
