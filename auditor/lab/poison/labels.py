"""The label that an attacker wants, as the user names it."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.errors import UsageError


def label_index(given: str | None, labels: Sequence[str]) -> int:
    """A label by its name, whatever the case, or by its index.

    Raises:
        UsageError: none given, or no such label; the message names the labels.
    """
    known = ", ".join(f"{name} ({i})" for i, name in enumerate(labels[:50]))
    if given is None:
        raise UsageError("a backdoor needs a target label", hint=f"Give one with --target: {known}.")
    wanted = given.strip()
    for candidates in (
        [i for i, name in enumerate(labels) if name == wanted],
        [i for i, name in enumerate(labels) if name.casefold() == wanted.casefold()],
        [i for i in range(len(labels)) if str(i) == wanted],
    ):
        if len(candidates) == 1:
            return candidates[0]
    raise UsageError(f"there is no label {given!r}", hint=f"Labels: {known}.")
