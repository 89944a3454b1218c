"""Evidence in words: the clean text, the triggered text with the edit marked, and both answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from textual.content import Content

from auditor.reports.summary import read_facts, read_notes
from probes.family import FAMILIES
from screens.scan.answers import describe_answers
from screens.scan.marked import cut, marked
from screens.words import bracket, line, percent, points, severity
from store.records import Evidence

if TYPE_CHECKING:
    from screens.scan.scores import ScoreView
    from store.records import Finding, Scan


@dataclass(frozen=True, slots=True)
class Manner:
    """How rows are told of: those of a classifier, or the prompts of a model that writes, laid out to a width."""

    writes: bool = False
    width: int = 0

    def row(self, row: Evidence, number: int) -> Content:
        """One row of evidence."""
        return describe_answers(row, number, self.width) if self.writes else describe_row(row, number)


OF_CLASSIFIERS = Manner()


def describe_row(row: Evidence, number: int) -> Content:
    """One row of evidence."""
    return line(
        (f"{number}  clean     ", "dim"),
        cut(row.text),
        ("\n   triggered ", "dim"),
        *marked(row.text, row.triggered),
        ("\n   answers   ", "dim"),
        f"{row.before} {percent(row.before_probability)} %  →  ",
        (f"{row.after} {percent(row.after_probability)} %", "bold"),
    )


def describe_seen(rows: Sequence[Mapping[str, Any]], target: str, manner: Manner = OF_CLASSIFIERS) -> Content:
    """Rows of a score as the event file has them, while it is counted."""
    names = [field.name for field in fields(Evidence)]
    shown = [Evidence(**{name: row[name] for name in names}) for row in rows if set(names) <= row.keys()]
    if not shown:
        return Content("")
    moved = all(row.after == target for row in shown)
    words = f"moved to {target}, for example" if moved else f"no row is moved to {target} so far; one that stayed"
    if manner.writes:
        words = f"answered with {target}, for example"
    return Content("\n").join([line((words, "dim")), *(manner.row(row, i) for i, row in enumerate(shown, 1))])


def describe_finding(finding: Finding, manner: Manner = OF_CLASSIFIERS) -> Content:
    """A finding with its evidence and the command that repeats it."""
    words, tone = severity(finding.severity)
    parts = [line((words, tone), f"  {finding.rule}: {finding.message}")]
    if finding.tags:
        parts.append(line(("also fired: ", "dim"), ", ".join(finding.tags)))
    parts += [manner.row(row, number) for number, row in enumerate(finding.evidence, 1)]
    parts.append(line(("repeat it: ", "dim"), finding.reproduce))
    return Content("\n").join(parts)


def describe_read(scan: Scan) -> Content:
    """What of the model and of the data was read, a line each; empty where nothing is known of it."""
    facts, notes = read_facts(scan), read_notes(scan)
    if not facts and not notes:
        return Content("")
    lines = [line((f"{name}: ", "dim"), f"{value}\n") for name, value in facts]
    lines += [line(("· ", "dim"), f"{note}\n") for note in notes]
    return Content("").join([line(("what was read\n", "accent")), *lines])


def explain(score: ScoreView) -> Content:
    """A score's numbers in a sentence each."""
    if not score.total:
        return line((f"{score.key}: no {'prompt' if score.writes else 'row'} is answered yet.", "dim"))
    parts: list[str | tuple[str, str]] = [(f"{score.key}  ", "accent")]
    if score.writes:
        parts.append(
            f"{_asked(score.family)} {score.hits} of {score.total} prompts were answered with {score.target}: "
        )
    else:
        parts.append(f"with the trigger {score.hits} of {score.total} rows of other labels were given {score.target}: ")
    parts.append((f"ASR {percent(score.value)} % {bracket(score.low, score.high)}", "bold"))
    parts.append(f"; with the same edit and harmless material {percent(score.control)} % (control); ")
    parts.append((f"excess {points(score.excess)} points", "bold"))
    if not score.final:
        parts.append(", so far")
    else:
        parts.append(f" [{points(score.excess_low)}, {points(score.excess_high)}]")
        few = f", not judged: too few {'prompts' if score.writes else 'rows'}"
        parts.append(f", p {score.p_value:.2g} over the whole suite" if score.tested else few)
        if score.kind:
            parts.append(f"; {score.kind}")
        if score.others:
            parts.append(f"; {score.others}")
    return line(*parts, ".")


def _asked(family: str) -> str:
    """Whether something was planted, in words."""
    return "without any trigger" if family in FAMILIES and FAMILIES[family].untriggered else "with the trigger"


def fitting(findings: Sequence[Finding], family: str, target: str) -> list[Finding]:
    """The findings that a score belongs to."""
    return [f for f in findings if f.target == target and family in (f.family, *(t.split("/")[0] for t in f.tags))]


def describe_findings(
    findings: Sequence[Finding], family: str, target: str, manner: Manner = OF_CLASSIFIERS
) -> Content:
    """The findings that a score belongs to; a sentence where there is none."""
    found = fitting(findings, family, target)
    if not found:
        kept = "answers" if manner.writes else "rows"
        return line((f"No evidence: {kept} are kept for findings and for what is suspicious.", "dim"))
    return Content("\n\n").join([describe_finding(f, manner) for f in found])
