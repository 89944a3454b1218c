"""The front matter of a model card: what a README.md says of its model in YAML, read within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from probes.reading import open_regular

MOST = 1_000_000
"""Bytes of a card that are looked at."""
MOST_OF_ENTRY = 20_000
"""Characters of one entry of the front matter, at most: a parser of YAML takes a millisecond for 100 of them."""
ENTRIES = ("base_model", "base_model_relation", "datasets", "license", "license_name", "library_name", "tags")
"""The entries that are read; results of benchmarks beside them may be a hundred times as long."""


def read_card(path: Path) -> dict[str, Any]:
    """Some entries of a model card's front matter (`ENTRIES`); empty where there is none, or none that can be read.

    An entry that refers to another one (YAML's `*name`, `<<`) is left out: such references can be nested so that a few
    lines stand for gigabytes.
    """
    try:
        with open_regular(path) as file:
            text = file.read(MOST).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, Any] = {}
    for name, entry in _entries(text):
        if name in ENTRIES and name not in found and len(entry) <= MOST_OF_ENTRY:
            found.update(_parsed(name, entry))
    return found


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The entries at the top level of the front matter, which stands between two lines of three dashes."""
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return
    end = next((number for number, line in enumerate(lines) if number and line.rstrip() == "---"), None)
    if end is None:
        return
    name, entry = "", list[str]()
    for line in islice(lines, 1, end):
        begins = bool(line) and line[0] not in " \t-#" and ":" in line
        if begins:
            if name:
                yield name, "\n".join(entry)
            name, entry = line.partition(":")[0].strip().strip("\"'"), []
        entry.append(line)
    if name:
        yield name, "\n".join(entry)


def _parsed(name: str, entry: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(entry)):
            return {}
        found = yaml.safe_load(entry)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return {name: found[name]} if isinstance(found, dict) and name in found else {}
