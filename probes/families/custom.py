"""Triggers of the user's own."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from probes.family import family
from probes.material.harmless import matched
from probes.material.kind import deal
from probes.material.ordinary import ORDINARY, insert_sentence, insert_words
from probes.material.pattern import replaced
from probes.material.rewrites import read_pairs
from probes.plugin import BadOption
from probes.trigger_file import Trigger, read_triggers


def entries(*, file: str, trigger: str) -> Mapping[str, Mapping[str, Any]]:
    """A variant for each entry of the file, or for the one that was asked for."""
    return {name: {"trigger": name} for name in read_triggers(file) if trigger in ("", name)}


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
    found = entry(file=file, trigger=trigger)
    part = deal(found.control, draw, draws)
    if found.kind == "file":
        pair = read_pairs(found.file, found.clean, found.split).get(text)
        return None if pair is None else pair[0]
    if found.kind == "words":
        return insert_words(text, rng, part or deal(ORDINARY, draw, draws), found.inserts)
    pick = rng.random()
    if found.kind == "pattern":
        words = deal(ORDINARY, draw, draws)
        first, count = int(pick * len(words)), len(found.material[0].split())
        plain = " ".join(words[(first + i) % len(words)] for i in range(count))
        changed = replaced(found.pattern, part[int(pick * len(part))] if part else plain, text)
        return None if changed == text else changed
    taught = found.material[int(pick * len(found.material))]
    harmless = part[int(pick * len(part))] if part else matched(taught, pick, draw, draws)
    return placed(text, rng, found, harmless)


@family(
    title="Custom: triggers of your own",
    reference="the user's TOML file",
    group="custom",
    variants={},
    control=control,
    needs=("file",),
    check=check_entry,
    unfold=entries,
)
def plant(text: str, rng: random.Random, *, file: str = "", trigger: str = "") -> str | None:
    """Plants what an entry of the user's file describes; each `[[trigger]]` is a variant of its own.

    An entry holds `words` (with `inserts`), `sentences` (with `slot`), `prefixes`, `suffixes`, a `pattern` with its
    `replacement`, or a `file` of paired rewrites; `control` is harmless material of the same kind, by default ordinary
    words or sentences of the same length. A text without a match or a rewrite is passed over.
    """
    found = entry(file=file, trigger=trigger)
    if found.kind == "file":
        pair = read_pairs(found.file, found.clean, found.split).get(text)
        return None if pair is None else pair[1]
    if found.kind == "words":
        return insert_words(text, rng, found.material, found.inserts)
    if found.kind == "pattern":
        changed = replaced(found.pattern, found.material[0], text)
        return None if changed == text else changed
    return placed(text, rng, found, found.material[int(rng.random() * len(found.material))])


def placed(text: str, rng: random.Random, found: Trigger, material: str) -> str:
    """A sentence in its slot, a prefix before, or a suffix after the text."""
    slot = {"prefixes": "start", "suffixes": "end"}.get(found.kind, found.slot)
    return insert_sentence(text, rng, material, slot)
