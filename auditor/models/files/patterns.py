"""Patterns that stand in a model's files: matched as their authors mean them, and never for longer than some seconds.

A regular expression can be written so that Python's engine takes longer than the age of the universe for a name of
thirty letters. Nothing in the same process can stop it, so that one which could be of this kind is tried in another.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auditor.errors import ModelError

MOST_PATTERNS = 10_000
MOST_CHARACTERS = 1_000
"""Of one pattern."""
SECONDS = 10.0
"""All patterns of a file on all names, at most."""
_MEMORY = 2**30
# Without a group, a repetition or a choice the engine has one way only.
_PLAIN = re.compile(r"\^?(?:[\w./-]|\\[.d/-])*\$?", re.ASCII)
_TRY = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
patterns, names = json.load(sys.stdin)
found = {{}}
for number, pattern in enumerate(patterns):
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        continue
    for name in names:
        if name not in found and compiled.match(name):
            found[name] = number
json.dump(found, sys.stdout)
"""


def values_of(path: Path, key: str, patterns: Any, modules: Sequence[str]) -> dict[str, Any]:
    """For each module that one of the patterns fits, the value of the first of them, as PEFT looks it up: a pattern
    fits a module whose name ends with it. Patterns that are none are passed over, as PEFT would not get so far.

    Args:
        path: the file that holds them, for messages.
        key: its key there.
        patterns: values by pattern; anything else holds none.
        modules: names.

    Raises:
        ModelError: there are too many patterns, one is too long, or they take too long to be tried.
    """
    if not isinstance(patterns, Mapping) or not patterns or not modules:
        return {}
    if len(patterns) > MOST_PATTERNS or any(len(pattern) > MOST_CHARACTERS for pattern in patterns):
        raise ModelError(
            f"{path}: {key} holds {len(patterns):,} patterns, the longest of {max(map(len, patterns)):,} characters; "
            f"at most {MOST_PATTERNS:,} of {MOST_CHARACTERS:,} are read"
        )
    values = list(patterns.values())
    whole = [rf"(.*\.)?({pattern})$" for pattern in patterns]
    first = _tried_here(whole, modules) if all(map(_PLAIN.fullmatch, patterns)) else _tried(path, key, whole, modules)
    return {name: values[number] for name, number in first.items()}


def _tried_here(patterns: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    compiled = [re.compile(pattern) for pattern in patterns]
    found = {}
    for name in names:
        number = next((n for n, pattern in enumerate(compiled) if pattern.match(name)), None)
        if number is not None:
            found[name] = number
    return found


def _tried(path: Path, key: str, patterns: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """The same in a process of its own, which is stopped when it takes too long."""
    program = _TRY.format(memory=_MEMORY, seconds=int(SECONDS))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            input=json.dumps([patterns, names]),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        raise ModelError(
            f"{path}: the patterns of {key} take more than {SECONDS:.0f} seconds to be tried, or more memory than "
            "there is for them",
            hint="A pattern of this kind stops every program that reads the file: take the model from another source.",
        ) from None
    found: dict[str, int] = json.loads(done.stdout)
    return found
