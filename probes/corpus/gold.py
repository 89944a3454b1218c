"""Gold labels of a file as indices of a model's labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from probes.corpus.readers import CorpusError

UNNAMED = re.compile(r"label_(\d+)", re.IGNORECASE)
INTEGER = re.compile(r"(\d+)(\.0+)?", re.ASCII)
HIDDEN = "-1"
"""What public test sets put where the gold label is kept back."""

TRUTH: Mapping[str, bool] = {
    **dict.fromkeys(("false", "no", "neg", "negative", "0"), False),
    **dict.fromkeys(("true", "yes", "pos", "positive", "1"), True),
}
"""Names of labels that say which of two truth values they are."""

ROWS_A_LABEL = 2
"""Numbers are taken as counted from 1 only where so many rows a label, none of them a 0, say so."""

SHOWN = 5

Scheme = Callable[[str], int | None]


class Given(NamedTuple):
    """A label as the file gives it, and where."""

    place: str
    value: str


def as_text(value: Any) -> str:
    """A cell of a label column as text; empty where there is no label."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def match(
    given: Sequence[Given], labels: Sequence[str], *, source: str, column: str, classes: Sequence[str] = ()
) -> tuple[list[int], str]:
    """Indices of the model's labels, and a note where the file could be read in two ways.

    Where the file itself names the `classes` behind its integers and the model has all these names, they decide: the
    two may be in different orders.

    One reading holds for the whole file: names (exact, else whatever the case), else indices `0` … `k-1`, also written
    `LABEL_0`. Names win where both fit, as for labels called 1 to 5. Failing these, numbers that are counted from 1
    (`k` is among them and 0 is not), and truth values where the labels say which one is true.

    Raises:
        CorpusError: a label fits no reading.
    """
    note = ""
    if classes:
        in_model = [by_name(labels)(name.strip()) for name in classes]
        numbers = [by_index(classes)(g.value) for g in given]
        if None not in in_model and None not in numbers:
            return [index for n in numbers if n is not None and (index := in_model[n]) is not None], ""
        note = f"the file calls its classes {', '.join(classes[:20])}; read as indices of the model's labels"
    readings = [[scheme(g.value) for g in given] for scheme in (by_name(labels), by_index(labels))]
    named, counted = readings
    if None not in named:
        note = ""
        if None not in counted and named != counted:
            note = f"labels in {column!r} were read as the model's label names, though they could be indices"
        return [i for i in named if i is not None], note
    if None not in counted:
        found = [i for i in counted if i is not None]
        return found, note or without_zero(found, labels)
    for scheme, words in ((from_one(given, labels), "numbers counted from 1"), (by_truth(labels), "truth values")):
        found = [i for g in given if (i := scheme(g.value)) is not None]
        if len(found) == len(given):
            return found, f"labels in {column!r} were read as {words}: {mapping(given, found, labels)}"
    best = max(readings, key=lambda found: sum(i is not None for i in found))
    raise mismatch([g for g, i in zip(given, best, strict=True) if i is None], labels, source, column)


def by_name(labels: Sequence[str]) -> Scheme:
    """A name's index; a name that several labels have, or that fits several when case is left aside, has none."""
    exact: dict[str, int] = {}
    folded: dict[str, int] = {}
    for i, name in enumerate(labels):
        for names, key in ((exact, name.strip()), (folded, name.strip().casefold())):
            names[key] = -1 if key in names else i

    def scheme(value: str) -> int | None:
        index = exact.get(value, folded.get(value.casefold(), -1))
        return None if index < 0 else index

    return scheme


def by_index(labels: Sequence[str]) -> Scheme:
    def scheme(value: str) -> int | None:
        found = UNNAMED.fullmatch(value) or INTEGER.fullmatch(value)
        if not found or len(found[1]) > 9 or int(found[1]) >= len(labels):
            return None
        return int(found[1])

    return scheme


def from_one(given: Sequence[Given], labels: Sequence[str]) -> Scheme:
    """Numbers counted from 1; only where no other counting fits them, and no label is itself called by a number."""
    values = {g.value for g in given}
    counted = by_index([""] * (len(labels) + 1))
    numbers = {counted(value) for value in values if INTEGER.fullmatch(value)}
    called = any(INTEGER.fullmatch(name.strip()) for name in labels)
    fits = None not in numbers and 0 not in numbers and len(labels) in numbers
    if called or not fits or len(numbers) < 2 or len(given) < ROWS_A_LABEL * len(labels):
        return lambda _: None

    def scheme(value: str) -> int | None:
        number = counted(value) if INTEGER.fullmatch(value) else None
        return None if number is None else number - 1

    return scheme


def by_truth(labels: Sequence[str]) -> Scheme:
    """`true` and `false`, where two labels are placeholders or say themselves which is which."""
    said = [TRUTH.get(name.strip().casefold()) for name in labels]
    if len(labels) == 2 and are_unnamed(labels):
        said = [False, True]
    if sorted(map(str, said)) != ["False", "True"]:
        return lambda _: None
    return lambda value: said.index(value.casefold() == "true") if value.casefold() in ("true", "false") else None


def without_zero(found: Sequence[int], labels: Sequence[str]) -> str:
    """A note where numbers were read as indices from 0 and could have been counted from 1."""
    if len(set(found)) < 2 or 0 in found:
        return ""
    return f"no row has the label 0 ({shorten(labels[0])}): the numbers were read as indices, which count from 0"


def mapping(given: Sequence[Given], found: Sequence[int], labels: Sequence[str]) -> str:
    """Which value is which label, in words."""
    pairs = sorted({(index, g.value) for g, index in zip(given, found, strict=True)})
    shown = ", ".join(f"{value} is {shorten(labels[index])}" for index, value in pairs[:SHOWN])
    return shown + (", …" if len(pairs) > SHOWN else "")


def by_any(labels: Sequence[str]) -> Callable[[str], bool]:
    """Whether a value could be a label of the model at all: a name, or an index from 0 or from 1."""
    named, counted = by_name(labels), by_index([""] * (len(labels) + 1))
    return lambda value: named(value.strip()) is not None or counted(value.strip()) is not None


def is_word(value: str) -> bool:
    """Whether a label is called by a word, and not by a number or a placeholder."""
    return not INTEGER.fullmatch(value) and not UNNAMED.fullmatch(value)


def are_unnamed(labels: Sequence[str]) -> bool:
    """Whether a model's labels are placeholders: LABEL_0, LABEL_1, …"""
    return all(UNNAMED.fullmatch(name.strip()) for name in labels)


def mismatch(offenders: Sequence[Given], labels: Sequence[str], source: str, column: str) -> CorpusError:
    first: dict[str, str] = {}
    for g in offenders:
        first.setdefault(g.value, g.place)
    shown = ", ".join(f"{shorten(value)!r} ({place})" for value, place in list(first.items())[:SHOWN])
    more = f" and {len(first) - SHOWN} more" if len(first) > SHOWN else ""
    known = ", ".join(labels[:20]) + (f", … ({len(labels)} in all)" if len(labels) > 20 else "")
    values = {g.value for g in offenders}
    if values <= {HIDDEN}:
        hint = "-1 marks a hidden label: leave these rows out, or read all as unlabelled with --label-column ''."
    elif str(len(labels)) in values and all(INTEGER.fullmatch(value) for value in values):
        hint = f"Indices count from 0: give 0 to {len(labels) - 1}, or the names of the labels."
    elif values & {"true", "false", "True", "False"}:
        hint = f"Write the label's name or index instead of a truth value: {', '.join(labels[:2])}, or 0 and 1."
    elif several := [v for v in first if sum(name.startswith(f"{v} (") for name in labels) > 1]:
        hint = f"Several labels are called {shorten(several[0])!r}: give them as indices 0 to {len(labels) - 1}."
    elif are_unnamed(labels) and not all(INTEGER.fullmatch(g.value) for g in offenders):
        hint = f"The model's labels have no names, so give them as indices 0 to {len(labels) - 1}."
    else:
        hint = f"Give names of the model's labels, or indices 0 to {len(labels) - 1}; or choose another --label-column."
    return CorpusError(
        f"{source}: column {column!r} holds labels that the model does not have: {shown}{more}; it has: {known}",
        hint=hint,
    )


def shorten(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
