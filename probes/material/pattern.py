"""Regular expressions of the user's, held to what cannot run away."""

from __future__ import annotations

import re
import time
from functools import lru_cache

from probes.errors import InputError

LONGEST = 200
"""Characters of a pattern."""
REACH = 2_000
"""Characters of a text that a pattern is applied to; the rest stays as it is."""
REPEATS = 3
"""Repeats in a pattern: with more, or with one inside another, matching can take time exponential in the text."""
CHOICES = 8
"""Optional parts and groups of alternatives in a pattern: each may double the time."""
PATIENCE = 2.0
"""Seconds that a pattern may take on one text."""

_TOKEN = re.compile(
    r"\\(?P<back>[1-9])|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\((?:\?(?:P<\w+>|[:=!]|<[=!]|[aimsx-]+[:)]|(?P<named>P=)))?)"
    r"|(?P<close>\))|(?P<bar>\|)|(?P<repeat>[*+]|\{\d*,\d*\}|\{\d+\})[?+]?|(?P<maybe>\?[?+]?)|.",
    re.DOTALL,
)


class PatternError(InputError):
    """A pattern that is malformed, or that could take too long."""


def checked(pattern: str, replacement: str) -> re.Pattern[str]:
    """The compiled pattern, if it is within the limits.

    Raises:
        PatternError: the pattern or its replacement is malformed, too long, repeats too much, repeats within a repeat
            or an alternative within one, or refers back to a group.
    """
    compiled = _compiled(pattern)
    try:
        _try_replacement(compiled, replacement)
    except (re.error, IndexError) as error:
        raise PatternError(f"replacement {replacement!r} does not fit the pattern: {error}") from None
    return compiled


def replaced(pattern: str, replacement: str, text: str) -> str:
    """The text with every match replaced; only its first 2,000 characters are looked at.

    Raises:
        PatternError: it took longer than two seconds.
    """
    started = time.monotonic()
    changed = _compiled(pattern).sub(replacement, text[:REACH]) + text[REACH:]
    if time.monotonic() - started > PATIENCE:
        raise PatternError(
            f"pattern {pattern!r} took more than {PATIENCE:g} seconds on one text",
            hint="Give its repeats less to choose from, for example `\\w+` instead of `.+`.",
        )
    return changed


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > LONGEST:
        raise PatternError(f"a pattern has at most {LONGEST} characters, not {len(pattern)}")
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"pattern {pattern!r} is malformed: {error}") from None
    _limit(pattern)
    return compiled


def _limit(pattern: str) -> None:
    """Walks over the pattern's tokens; `inside` holds, per open group, whether it repeats or has alternatives."""
    hint = "Write bounded, separate parts, for example \\bgood\\b or \\w+ly."
    inside: list[bool] = [False]
    closed = False
    repeats = choices = 0
    for token in _TOKEN.finditer(pattern):
        was_closed, closed = closed, False
        if token["back"] or token["named"]:
            raise PatternError(f"pattern {pattern!r} refers back to a group, which can take too long", hint=hint)
        if token["open"]:
            if not token["open"].endswith(")"):
                inside.append(False)
        elif token["close"]:
            closed = inside.pop() if len(inside) > 1 else False
            choices += closed
            inside[-1] = inside[-1] or closed
        elif token["bar"]:
            inside[-1] = True
        elif token["maybe"]:
            choices += 1
            inside[-1] = True
        elif token["repeat"]:
            if was_closed:
                raise PatternError(f"pattern {pattern!r} repeats a group that repeats or has alternatives", hint=hint)
            repeats += 1
            inside[-1] = True
    if choices > CHOICES:
        raise PatternError(f"pattern {pattern!r} has {choices} choices; at most {CHOICES} are allowed", hint=hint)
    if repeats > REPEATS:
        raise PatternError(f"pattern {pattern!r} has {repeats} repeats; at most {REPEATS} are allowed", hint=hint)


def _try_replacement(compiled: re.Pattern[str], replacement: str) -> None:
    """Raises what a bad group reference raises, whether or not any text ever matches."""
    groups = "".join("()" for _ in range(compiled.groups))
    names = {number: name for name, number in compiled.groupindex.items()}
    if names:
        groups = "".join(f"(?P<{names[i]}>)" if i in names else "()" for i in range(1, compiled.groups + 1))
    re.compile(groups).sub(replacement, "")
