"""Repeatable options that take several values after one flag: `--with A B` is `--with A --with B`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SPREAD = {"--with", "--reference", "--family", "--task"}
POSITIONALS: Mapping[str, int] = {
    "scan": 1,
    "audit": 1,
    "hunt": 1,
    "partners": 1,
    "merge": 1,
    "bench": 1,
    "lab plant": 0,
    "lab score": 0,
}
"""Arguments that a command takes besides its options: a trailing value may be one of these."""
VERIFY = "--verify"
USUAL = {"--make-partner": "2"}
"""Options that may stand without their number, and the one that is then meant."""


def spread(arguments: Sequence[str]) -> list[str]:
    """Repeats a flag before each of the values that follow it.

    `auditor scan --family badnet MODEL` stays what it says: where the command still lacks its argument, the last value
    after the flag is that argument.
    """
    arguments = _with_default(arguments)
    name = " ".join(arguments[:2]) if arguments[:1] == ["lab"] else "".join(arguments[:1])
    if name not in POSITIONALS:
        return list(arguments)
    at = len(name.split())
    lacking = 0 if VERIFY in arguments else POSITIONALS[name] - _plain(arguments[at:])
    out = list(arguments[:at])
    groups: list[tuple[int, str, list[str]]] = []
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            out += arguments[at - 1 :]
            break
        if word not in SPREAD:
            out.append(word)
            continue
        values = []
        while at < len(arguments) and not arguments[at].startswith("-"):
            values.append(arguments[at])
            at += 1
        groups.append((len(out), word, values))
        out.append(word)
    return _put_back(out, groups, lacking)


def _with_default(arguments: Sequence[str]) -> list[str]:
    """Gives an option that takes a number or none its usual one."""
    found: list[str] = []
    for at, word in enumerate(arguments):
        found.append(word)
        if word in USUAL and not "".join(arguments[at + 1 : at + 2]).isdecimal():
            found.append(USUAL[word])
    return found


def _put_back(out: list[str], groups: list[tuple[int, str, list[str]]], lacking: int) -> list[str]:
    """Puts the values in, the last group's last value as the argument where one is lacking."""
    for place, flag, values in reversed(groups):
        given_back = []
        if lacking > 0 and len(values) > 1:
            given_back, lacking = [values.pop()], lacking - 1
        words = [part for value in values for part in (flag, value)] or [flag]
        out[place : place + 1] = words + given_back
    return out


def _plain(arguments: Sequence[str]) -> int:
    """Arguments that stand apart from any option; what follows a spread flag is not counted, nor an option's value."""
    count, at, greedy = 0, 0, False
    while at < len(arguments):
        word = arguments[at]
        if word == "--":
            return count + len(arguments) - at - 1
        if word.startswith("-") and len(word) > 1:
            greedy = word in SPREAD
            if not greedy and "=" not in word and word not in FLAGS:
                at += 1
        elif not greedy:
            count += 1
        at += 1
    return count


FLAGS = {"--fresh", "--quiet", "-q", "--plain", "--help", "-h", "--hub", "--search"}
"""Options without a value."""
