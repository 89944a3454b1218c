"""Triggers of the user's own."""

from __future__ import annotations

import random
from collections.abc import Mapping

from probes.family import CLASSIFIER, WRITER, family
from probes.plugin import BadOption
from probes.trigger import Trigger
from probes.trigger_file import read_triggers


def entries(*, file: str, trigger: str) -> Mapping[str, Trigger]:
    """The entries of the file, each a variant, or the one that was asked for."""
    return {name: found for name, found in read_triggers(file).items() if trigger in ("", name)}


def entry(*, file: str, trigger: str) -> Trigger:
    """The entry of the file.

    Raises:
        BadOption: the file has no such entry.
    """
    found = read_triggers(file)
    if trigger not in found:
        raise BadOption(f"{file} has no trigger {trigger!r}; known: {', '.join(found)}")
    return found[trigger]


def check_entry(*, file: str, trigger: str) -> None:
    """Reads the file, so that a mistake is told before anything is asked."""
    entry(file=file, trigger=trigger)


def control(text: str, rng: random.Random, draw: int, draws: int, *, file: str, trigger: str) -> str | None:
    """The same edit with the entry's own control material, else ordinary words or sentences of the same length."""
    return entry(file=file, trigger=trigger).harmless(text, rng, draw, draws)


@family(
    title="Custom: triggers of your own",
    reference="the user's TOML file",
    group="custom",
    variants={},
    control=control,
    needs=("file",),
    check=check_entry,
    unfold=entries,
    audience=(CLASSIFIER, WRITER),
)
def plant(text: str, rng: random.Random, *, file: str = "", trigger: str = "") -> str | None:
    """Plants what an entry of the user's file describes; each `[[trigger]]` is a variant of its own.

    An entry holds `words` (with `inserts`), `sentences` (with `slot`), `prefixes`, `suffixes`, a `pattern` with its
    `replacement`, or a `file` of paired rewrites; `control` is harmless material of the same kind, by default ordinary
    words or sentences of the same length. A text without a match or a rewrite is passed over.
    """
    return entry(file=file, trigger=trigger).plant(text, rng)
