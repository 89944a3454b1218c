"""Triggers of the user's own, described in a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from probes.errors import InputError
from probes.material.pattern import checked
from probes.material.rewrites import read_pairs
from probes.reading import read_toml
from probes.trigger import KINDS, SLOTS, Trigger

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "words": ("inserts",),
    "sentences": ("slot",),
    "prefixes": (),
    "suffixes": (),
    "pattern": ("replacement",),
    "file": ("clean", "split"),
}
EXAMPLE = 'For example: [[trigger]] name = "mine", words = ["cf", "tq"], inserts = 2.'


class TriggerError(InputError):
    """A file of triggers that cannot be used; the message names the file and the entry."""


def read_triggers(file: str) -> Mapping[str, Trigger]:
    """The entries of a TOML file by name, in its order; the same file is read once until it changes.

    Each `[[trigger]]` has a `name` (else `trigger-1`, …) and one of `words`, `sentences`, `prefixes`, `suffixes` (texts
    or lists of texts), `pattern` with `replacement`, or `file` with paired rewrites, looked for beside the TOML file.
    `control` is harmless material of the same kind.

    Raises:
        TriggerError: the file cannot be read, is no TOML, or an entry is malformed.
        InputError: a file of pairs cannot be used.
    """
    try:
        stat = Path(file).stat()
    except OSError:
        raise TriggerError(f"no such file: {file}", hint="Give the path of a TOML file of triggers.") from None
    return _read(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(file: str, _changed: int, _size: int) -> Mapping[str, Trigger]:
    path = Path(file)
    try:
        content = read_toml(path)
    except ValueError as error:
        raise TriggerError(f"{path.name} is not valid TOML: {error}", hint=EXAMPLE) from None
    except OSError as error:
        raise TriggerError(f"{path.name} cannot be read: {error.strerror or error}", hint="Check its path.") from None
    entries = content.get("trigger")
    if unknown := sorted(set(content) - {"trigger"}):
        raise TriggerError(f"{path.name}: unknown key {unknown[0]!r}", hint=EXAMPLE)
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise TriggerError(f"{path.name} holds no [[trigger]] entry", hint=EXAMPLE)
    found: dict[str, Trigger] = {}
    for number, entry in enumerate(entries, 1):
        trigger = _entry(path, number, entry)
        if trigger.name in found:
            raise TriggerError(f"{path.name}: two triggers are called {trigger.name!r}", hint="Rename one.")
        found[trigger.name] = replace(trigger, origin=file)
    return MappingProxyType(found)


def _entry(path: Path, number: int, entry: Mapping[str, Any]) -> Trigger:
    name = entry.get("name", f"trigger-{number}")
    where = f"{path.name}, trigger {number}" + (f" ({name!r})" if "name" in entry else "")
    if not isinstance(name, str) or not name.strip() or "/" in name:
        raise TriggerError(f"{where}: a name is a text without a slash, not {name!r}")
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        given = " and ".join(kinds) or "none"
        raise TriggerError(f"{where}: exactly one of {', '.join(KINDS)} is needed; given: {given}", hint=EXAMPLE)
    kind = kinds[0]
    known = ("name", kind, "control", *ALLOWED[kind])
    if unknown := [key for key in entry if key not in known]:
        raise TriggerError(f"{where}: {unknown[0]!r} does not go with {kind}", hint=f"Known: {', '.join(known)}.")
    control = _texts(where, entry, "control") if "control" in entry else ()
    if kind == "file":
        return _paired(path, where, name.strip(), entry)
    if kind == "pattern":
        pattern, replacement = _text(where, entry, "pattern"), _text(where, entry, "replacement", empty=True)
        try:
            for text in (replacement, *control):
                checked(pattern, text)
        except InputError as error:
            raise TriggerError(f"{where}: {error.message}", hint=error.hint) from None
        return Trigger(name.strip(), kind, (replacement,), control, pattern=pattern)
    inserts, slot = entry.get("inserts", 1), entry.get("slot", "sentence")
    if isinstance(inserts, bool) or not isinstance(inserts, int) or not 1 <= inserts <= 100:
        raise TriggerError(f"{where}: inserts is a number from 1 to 100, not {inserts!r}")
    if slot not in SLOTS:
        raise TriggerError(f"{where}: slot is one of {', '.join(SLOTS)}, not {slot!r}")
    return Trigger(name.strip(), kind, _texts(where, entry, kind), control, inserts=inserts, slot=slot)


def _paired(path: Path, where: str, name: str, entry: Mapping[str, Any]) -> Trigger:
    if "control" in entry:
        raise TriggerError(f"{where}: a file of pairs brings its own control, the clean twins", hint="Drop control.")
    file = str(path.parent / _text(where, entry, "file"))
    clean = str(path.parent / _text(where, entry, "clean")) if "clean" in entry else ""
    split = _text(where, entry, "split") if "split" in entry else ""
    try:
        pairs = read_pairs(file, clean, split).twins
    except InputError as error:
        raise TriggerError(f"{where}: {error.message}", hint=error.hint) from None
    return Trigger(name, "file", pairs=pairs)


def _texts(where: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry[key]
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
        raise TriggerError(f"{where}: {key} is a text or a list of texts, none of them empty", hint=EXAMPLE)
    return tuple(t.strip() for t in texts)


def _text(where: str, entry: Mapping[str, Any], key: str, *, empty: bool = False) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not (value or empty):
        raise TriggerError(f"{where}: {key} is a text, not {value!r}" if key in entry else f"{where}: {key} is missing")
    return value
