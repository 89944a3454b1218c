"""The rows that a cure changed: the same triggered text, answered before and after. Read from the stored answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from screens.scan.marked import cut, marked
from screens.words import line

if TYPE_CHECKING:
    from store.catalog import Catalog
    from store.records import Scan

ROWS = 30


@dataclass(frozen=True, slots=True)
class Change:
    """One row: its clean text, the triggered one, and the labels that were given to the triggered text."""

    text: str
    triggered: str
    reference: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows whose triggered text is answered otherwise now, those that left the target first; `whole` counts all."""

    rows: tuple[Change, ...]
    whole: int
    asked: int


def read_changes(catalog: Catalog, before: Scan, after: Scan, family: str, variant: str, target: str) -> Changes:
    """Reads and compares the answers of two scans to one probe.

    Raises:
        auditor.errors.UsageError: the answers are no longer stored, or were laid out by another version.
    """
    from auditor.scan.stored import rebuild, rebuild_plan
    from probes.cases import Role
    from probes.input import shown

    plan = rebuild_plan(before, catalog)
    sides = [rebuild(scan, catalog).triggered(f"{family}/{variant}") for scan in (before, after)]
    labels = before.model.labels
    index = labels.index(target)
    texts = {
        case.row: plan.inputs[place]
        for case, place in zip(plan.cases, plan.position, strict=True)
        if (case.role, case.family, case.variant) == (Role.TRIGGER, family, variant)
    }
    found = []
    asked = 0
    for place, row in enumerate(plan.rows):
        reference = before.reference_labels[place] if place < len(before.reference_labels) else -1
        if reference in (index, -1) or row.index not in texts:
            continue
        asked += 1
        was, now = (side.shown(place)[0] or "unscorable" for side in sides)
        if was == now:
            continue
        ask = texts[row.index]
        words = (
            shown(row.input),
            shown(ask),
        )
        found.append((was != target, Change(*words, _name(labels, reference), was, now)))
    found.sort(key=lambda item: item[0])
    return Changes(tuple(change for _, change in found[:ROWS]), len(found), asked)


def _name(labels: tuple[str, ...], index: int) -> str:
    return labels[index] if 0 <= index < len(labels) else "unscorable"


def describe_changes(changes: Changes, target: str) -> Content:
    """The changed rows in words."""
    parts = [
        line(
            f"{changes.whole} of {changes.asked} triggered rows are answered otherwise now",
            (f"  (target {target})", "dim"),
        )
    ]
    for number, row in enumerate(changes.rows, 1):
        freed = row.before == target
        parts.append(
            line(
                (f"\n{number}  clean     ", "dim"),
                cut(row.text),
                ("\n   triggered ", "dim"),
                *marked(row.text, row.triggered),
                ("\n   answers   ", "dim"),
                f"before {row.before}  →  after ",
                (row.after, "good" if freed else "warn"),
                (f"  (reference {row.reference})", "dim"),
            )
        )
    if changes.whole > len(changes.rows):
        parts.append(line((f"\n… and {changes.whole - len(changes.rows)} more", "dim")))
    return Content("\n").join(parts)
