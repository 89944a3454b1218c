"""Values of options as they are typed: `NAME.option=value`, `W0,W1,…`, `THEIRS=OURS,…`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.errors import UsageError


def read_sets(values: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """`NAME.option=value` entries by name.

    Raises:
        UsageError: an entry of another form.
    """
    out: dict[str, dict[str, Any]] = {}
    for entry in values or ():
        name, dot, rest = entry.partition(".")
        key, equals, value = rest.partition("=")
        if not (dot and equals and name.strip() and key.strip()):
            raise UsageError(
                f"--set takes NAME.option=value, not {entry!r}", hint="For example: --set badnet.inserts=3"
            )
        out.setdefault(name.strip(), {})[key.strip()] = value
    return out


def read_weights(text: str | None) -> tuple[float, ...] | None:
    """`W0,W1,…` as numbers.

    Raises:
        UsageError: something that is no number.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--weights takes numbers with commas between, not {text!r}") from None


def read_labels(pairs: Sequence[str] | None) -> dict[str, str]:
    """`THEIRS=OURS,…` as a mapping.

    Raises:
        UsageError: something that is no pair, or a name that is given twice.
    """
    found: dict[str, str] = {}
    for pair in [part for text in pairs or () for part in text.split(",")]:
        theirs, equals, ours = (part.strip() for part in pair.partition("="))
        if not (theirs and equals and ours):
            raise UsageError(
                f"--labels takes pairs PARTNER=SUSPECT with commas between, not {pair!r}",
                hint="For example: --labels NEG=negative,POS=positive",
            )
        if theirs in found or ours in found.values():
            raise UsageError(f"--labels names {theirs if theirs in found else ours!r} twice: one label is one label")
        found[theirs] = ours
    return found
