"""Options that take several values after one flag, or none: `--with A B` is `--with A --with B`.

What a command takes is what it declares. An option that is repeatable and whose metavar ends in `…` takes several
values (`MODEL…`); one whose metavar is as `[N=2]` may stand without its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MODEL, SEVERAL = "MODEL", "…"
USUAL = re.compile(r"\[\w+=(?P<value>\d+)\]")


@dataclass(frozen=True)
class _Declared:
    """What a command takes: the arguments it needs, and which options take a value, several, or a usual one."""

    arguments: int
    valued: frozenset[str]
    several: frozenset[str]
    usual: dict[str, str]

    @classmethod
    def by(cls, command: Any) -> _Declared:
        options = [p for p in command.params if p.param_type_name == "option" and not getattr(p, "is_flag", False)]
        metavars = {name: option.metavar or "" for option in options for name in option.opts}
        several = {name for option in options if option.multiple for name in option.opts}
        usual = {name: match["value"] for name, m in metavars.items() if (match := USUAL.fullmatch(m))}
        return cls(
            # A model is needed also where it is not required, since `merge --verify DIR` does without.
            sum(p.param_type_name == "argument" and (p.required or p.metavar == MODEL) for p in command.params),
            frozenset(metavars),
            frozenset(name for name in several if metavars[name].endswith(SEVERAL)),
            usual,
        )

    def takes_next(self, word: str) -> bool:
        """Whether the word after this one is its value."""
        return word in self.valued and word not in self.several


def spread(arguments: Sequence[str], program: Any) -> list[str]:
    """Repeats a flag before each of the values that follow it.

    `auditor scan --family badnet MODEL` stays what it says: where the command still lacks its argument, the last value
    after the flag is that argument.

    Args:
        program: the click command that takes the arguments.
    """
    command, at = program, 0
    while (commands := getattr(command, "commands", None)) is not None:
        if at == len(arguments) or arguments[at] not in commands:
            return list(arguments)
        command, at = commands[arguments[at]], at + 1
    declared = _Declared.by(command)
    words = list(_with_usual(arguments[at:], declared))
    lacking = declared.arguments - _plain(words, declared)
    out = list(arguments[:at])
    groups: list[tuple[int, str, list[str]]] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            out += words[at - 1 :]
            break
        if word not in declared.several:
            out.append(word)
            continue
        values = []
        while at < len(words) and not words[at].startswith("-"):
            values.append(words[at])
            at += 1
        groups.append((len(out), word, values))
        out.append(word)
    return _put_back(out, groups, lacking)


def _with_usual(words: Sequence[str], declared: _Declared) -> Iterator[str]:
    """Gives an option that takes a number or none its usual one."""
    for at, word in enumerate(words):
        yield word
        if word in declared.usual and not "".join(words[at + 1 : at + 2]).isdecimal():
            yield declared.usual[word]


def _put_back(out: list[str], groups: list[tuple[int, str, list[str]]], lacking: int) -> list[str]:
    """Puts the values in, the last group's last value as the argument where one is lacking."""
    for place, flag, values in reversed(groups):
        given_back = []
        if lacking > 0 and len(values) > 1:
            given_back, lacking = [values.pop()], lacking - 1
        words = [part for value in values for part in (flag, value)] or [flag]
        out[place : place + 1] = words + given_back
    return out


def _plain(words: Sequence[str], declared: _Declared) -> int:
    """Arguments that stand apart from any option; what follows a flag with several values is not counted."""
    count, at, greedy = 0, 0, False
    while at < len(words):
        word = words[at]
        if word == "--":
            return count + len(words) - at - 1
        if word.startswith("-") and len(word) > 1:
            greedy = word in declared.several
            at += declared.takes_next(word)
        elif not greedy:
            count += 1
        at += 1
    return count
