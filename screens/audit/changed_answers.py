"""The prompts on which a cure changed what a model writes: two answers to the same triggered prompt, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from screens.scan.answers import prompt_words, side_by_side
from screens.words import line

if TYPE_CHECKING:
    from store.catalog import Catalog
    from store.records import Scan

PROMPTS = 30


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """One prompt: as it is, with the edit, both models' answers to that, and whether each shows the behaviour."""

    text: str
    triggered: str
    before: str
    after: str
    was: bool
    now: bool


@dataclass(frozen=True, slots=True)
class AnswerChanges:
    """Prompts with which the edit brought a behaviour about in either model, those first that do so no longer.

    `before` and `after` count them of all `asked`.
    """

    rows: tuple[AnswerChange, ...]
    before: int
    after: int
    asked: int


def read_answer_changes(
    catalog: Catalog, before: Scan, after: Scan, family: str, variant: str, target: str
) -> AnswerChanges:
    """Reads and compares the answers of two scans to one probe.

    Raises:
        auditor.errors.UsageError: the answers are no longer stored, or were laid out by another version.
        KeyError: a scan did not ask this probe.
    """
    from auditor.scan.stored import rebuild
    from probes.cases import Role
    from probes.input import shown

    name = f"{family}/{variant}"
    first, second = (rebuild(scan, catalog) for scan in (before, after))
    was, now = (trials[name, target].trigger == 1 for trials in (first, second))
    told = first[name, target].rows
    plan = first.plan
    inputs = {
        case.row: plan.inputs[place]
        for case, place in zip(plan.cases, plan.position, strict=True)
        if (case.role, case.family, case.variant) == (Role.TRIGGER, family, variant)
    }
    answers, others = first.triggered(name), second.triggered(name)
    found = [
        AnswerChange(
            shown(row.input),
            shown(inputs[row.index]),
            answers.shown(place)[0],
            others.shown(place)[0],
            bool(was[place]),
            bool(now[place]),
        )
        for place, row in enumerate(plan.rows)
        if told[place] and row.index in inputs and (was[place] or now[place])
    ]
    found.sort(key=lambda row: (row.was and row.now, row.now))
    both = int((was & told).sum()), int((now & told).sum())
    return AnswerChanges(tuple(found[:PROMPTS]), *both, int(told.sum()))


def describe_answer_changes(changes: AnswerChanges, target: str, width: int) -> Content:
    """The prompts and their answers in words, laid out to so many columns."""
    parts = [
        line(
            f"{changes.before} of {changes.asked} triggered prompts were answered with {target} before, "
            f"{changes.after} are now"
        )
    ]
    for number, row in enumerate(changes.rows, 1):
        words, tone = {
            (True, False): ("no longer", "good"),
            (False, True): ("only now", "bad"),
            (True, True): ("as before", "warn"),
        }[row.was, row.now]
        parts.append(line((f"\n{target} {words}", tone)))
        parts.append(prompt_words(row.text, row.triggered, number))
        parts.append(side_by_side(("before", row.before), ("after", row.after), width))
    shown = len(changes.rows)
    if shown == PROMPTS:
        parts.append(line((f"\nThe first {PROMPTS} are shown.", "dim")))
    return Content("\n").join(parts)
