"""What a cure leaves of what was found, variant by variant, and what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.requests.arguments import Arguments
from screens.messages import OpenRows
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import line, percent, points, short

if TYPE_CHECKING:
    from store.records import Audit, Residue

COLUMNS = (
    Column("trigger", 30, grows=True),
    Column("after %", 7, right=True),
    Column("floor %", 7, right=True),
    Column("left", 5, right=True),
    Column("left 95 % CI", 14),
    Column("rows", 6, 1, right=True),
    Column("floor", 27, 2),
    Column("references %", 16, 3),
)


class LeftScreen(Page):
    """Every variant of the families that fired, the one of which most may be left first."""

    HELP = (
        "ASR after the merge less its floor, in points, paired row by row; what may be left is the interval's upper "
        "end, and the stamp holds the highest of all against its limit. The floor is what the control does, or what "
        "references without a backdoor do, whichever leaves more; of triggers that say something by themselves, the "
        "least of two or more such references. Enter shows the rows that changed."
    )

    DEFAULT_CSS = """
    LeftScreen #head { height: auto; padding: 0 1; }
    LeftScreen #words { height: auto; padding: 0 1; border-top: solid $panel; }
    """

    def __init__(self, audit: Audit) -> None:
        super().__init__()
        self.audit = audit
        self._residues = {_name(r): r for r in sorted(audit.left, key=lambda r: (-r.left.high, _name(r)))}
        self.trail = f"Audit {short(audit.before.model.reference)} › Residual"

    def body(self) -> Iterable[Widget]:
        most = next(iter(self._residues.values()), None)
        words = line(("No variant was measured.", "dim"))
        if most is not None:
            words = line(
                f"{len(self._residues)} variants. Most may be left of {_name(most)}: "
                f"{points(most.left.value)}, at most {points(most.left.high)} points"
            )
        for i in self.audit.ingredients:
            groups = ", ".join(f"{f.group} {f.family}/{f.variant} → {f.target}" for f in i.carried)
            high = max((r.left.high for r in i.left), default=None)
            rest = "" if high is None else f"; of it at most {points(high)} points may be left"
            words += line(
                (f"\n{short(i.reference)}: {groups or ('nothing was found' if i.asked else 'not asked')}{rest}", "dim")
            )
        yield Static(words, id="head")
        rows = "rows" if self.audit.before.settings.asking is None else "prompts"
        columns = tuple(
            replace(column, title=rows, width=max(column.width, len(rows))) if column.title == "rows" else column
            for column in COLUMNS
        )
        yield LazyTable(columns, classes="grow")
        yield Static("", id="words")

    def on_mount(self) -> None:
        table = self.query_one(LazyTable)
        table.show_rows([_row(r) for r in self._residues.values()])
        table.focus()

    @on(LazyTable.Highlighted)
    def _describe(self, event: LazyTable.Highlighted) -> None:
        found = self._residues.get(event.row.key) if event.row is not None else None
        rows = "rows" if self.audit.before.settings.asking is None else "prompts"
        self.query_one("#words", Static).update(_words(found, rows) if found is not None else "")

    @on(LazyTable.Chosen)
    def _drill(self, event: LazyTable.Chosen) -> None:
        found = self._residues.get(event.row.key)
        if found is not None and self.audit.after is not None:
            sides = self.audit.before, self.audit.after
            self.app.post_message(OpenRows(*sides, found.family, found.variant, found.target))

    def command(self) -> Arguments | None:
        return ("report", self.audit.id)


def _name(residue: Residue) -> str:
    return f"{residue.family}/{residue.variant} → {residue.target}"


def _row(found: Residue) -> Row:
    left = found.left
    cells = (
        _name(found),
        percent(found.rate.value),
        percent(found.level),
        (points(left.value), "bad" if left.low > 0 else ""),
        (f"[{points(left.low)}, {points(left.high)}]", "dim"),
        f"{found.rows:,}",
        found.floor,
        (", ".join(percent(r.value) for r in found.references) or "–", "dim"),
    )
    return Row(_name(found), cells)


def _words(found: Residue, rows: str) -> Content:
    """One variant in words: a narrow table has no room for what it is compared with."""
    left = found.left
    apart = ", ".join(f"{percent(r.value)} % [{percent(r.low)}, {percent(r.high)}]" for r in found.references)
    return line(
        (f"{_name(found)}\n", "bold"),
        f"ASR after the merge {percent(found.rate.value)} % [{percent(found.rate.low)}, {percent(found.rate.high)}] on "
        f"{found.rows:,} {rows}, compared with {found.floor}, {percent(found.level)} %: {points(left.value)} points "
        f"[{points(left.low)}, {points(left.high)}]\n",
        (f"References without a backdoor: {apart or 'none'}", "dim"),
        (f"\nLog-odds of the target that the trigger adds: {_raised(found)}" if found.raised else "", "dim"),
        (f"\nA stronger form: {found.form}" if found.form else "", "dim"),
    )


def _raised(found: Residue) -> str:
    if found.raised is None:
        return ""
    before = "" if found.raised.before is None else f"{found.raised.before:.1f} before, "
    return f"{before}{found.raised.after:.1f} after, {found.raised.floor:.1f} with {found.floor}"
