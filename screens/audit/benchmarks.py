"""What a model could do before and after: benchmarks as bars, with what may be lost of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.reports.benchmarks import CHANGES_NOTE, asked_in, delta_in, is_share, sides_in
from auditor.requests.arguments import Arguments
from screens.widgets.laid import Laid
from screens.widgets.page import Page
from screens.words import line, short

if TYPE_CHECKING:
    from store.records import BenchmarkChange, Scan

NAME, FIGURE = 26, 9
"""Columns of a bar's name and of its figure."""
FULL, EMPTY = "█", "░"


class BenchmarksScreen(Page):
    """Each metric before and after, one bar below the other."""

    HELP = (
        "Each benchmark before and after the merge, asked in the same way on the same rows. Bars of accuracies go from "
        "0 to 100 %, those of perplexities to the larger of both, and less is better there. An audit's stamp takes the "
        "metric in bold: what it may have lost, at the upper end of its interval, must be within the policy's limit."
    )
    DEFAULT_CSS = """
    BenchmarksScreen #head { height: auto; padding: 0 1; }
    BenchmarksScreen #bars { padding: 0 1; }
    """

    def __init__(self, before: Scan, after: Scan, changes: tuple[BenchmarkChange, ...], audit: str | None) -> None:
        super().__init__()
        self.before, self.after, self.changes, self._audit = before, after, changes, audit
        self.trail = f"{'Audit' if audit else 'Compare'} {short(before.model.reference)} › Benchmarks"

    def body(self) -> Iterable[Widget]:
        names = f"{short(self.before.model.reference)} → {short(self.after.model.reference)}"
        yield Static(line((names, "bold"), (f"\n{CHANGES_NOTE}", "dim")), id="head")
        yield VerticalScroll(Static(Laid(self._words)), id="bars", classes="grow")

    def on_mount(self) -> None:
        self.query_one("#bars").focus()

    def _words(self, width: int) -> Content:
        room = max(10, width - NAME - FIGURE - 2)
        parts = [_change(change, room) for change in self.changes]
        asked = "\n".join(asked_in(self.before.scores.benchmarks))
        return Content("\n").join([*parts, line((asked, "dim"))])

    def command(self) -> Arguments | None:
        if self._audit is not None:
            return ("report", self._audit)
        return ("compare", self.before.id, self.after.id)


def _change(change: BenchmarkChange, room: int) -> Content:
    """Three lines: name and change, and a bar a side."""
    share = is_share(change.metric, change.before, change.after)
    most = 1.0 if share else max(abs(change.before), abs(change.after)) or 1.0
    worse = change.most_lost is not None and _surely_worse(change)
    name = f"{change.task} {change.metric}"
    found = line(
        (name, "bold" if change.main else ""),
        (f"  {change.rows:,} rows, change ", "dim"),
        (f"{delta_in(change)}\n", "bad" if worse else ""),
    )
    for side, value, figure in zip(("before", "after"), (change.before, change.after), sides_in(change), strict=True):
        filled = min(room, round(room * abs(value) / most))
        tone = "dim" if side == "before" else "accent"
        found += line(
            (f"{side:>{NAME - 1}} ", "dim"),
            (FULL * filled, tone),
            (EMPTY * (room - filled), "dim"),
            f"{figure:>{FIGURE}}\n",
        )
    return found


def _surely_worse(change: BenchmarkChange) -> bool:
    """Whether the whole interval lies on the side of a loss."""
    if change.delta is None:
        return False
    return change.delta.high < 0 if change.higher_is_better else change.delta.low > 0
