"""A recipe search: the Pareto front as it grows, and every recipe that was tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from screens.jobs.job_page import JobPage
from screens.messages import JobChanged
from screens.widgets.lazy_table import Cell, Column, LazyTable, Row
from screens.words import ending, ending_words, line, percent

if TYPE_CHECKING:
    from auditor.jobs.progress import JobProgress
    from store.records import Job

COLUMNS = (
    Column("recipe", 7, right=True),
    Column("gap %", 6, right=True),
    Column("clean %", 7, right=True),
    Column("kept %", 6, right=True),
    Column("of the suspect, by kind of module", 30, 1, grows=True),
)
WAG = "wag"
"""The weight average, which goes without saying."""


class SearchScreen(JobPage):
    """The recipes of a search: those that no other beats, or all."""

    HELP = (
        "Recipes that an audit tried in memory, on rows that do not judge. Gap: how far the worst attack success rate "
        "stands above the floor, the mean of the partners that are as accurate as the suspect (of all where none is). "
        "Clean: clean accuracy, or agreement with the suspect. Of models that write both are told by how probable they "
        "find the suspect's answers. Kept: the share of the suspect. The front holds what no "
        "other recipe beats in all three; a shows every recipe. x cancels the job; g starts it again: its scan goes on "
        "from what is stored, the search begins anew."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "all", "All recipes")]
    DEFAULT_CSS = """
    SearchScreen #head { height: auto; padding: 0 1; }
    SearchScreen #lower { height: 9; padding: 0 1; border-top: solid $panel; }
    SearchScreen.-short #lower { height: 3; }
    """

    def __init__(self, job: Job, progress: JobProgress) -> None:
        super().__init__(job, progress)
        self.trail = f"Jobs › {job.command[0]} {job.subject} › Search"
        self._all = False

    def body(self) -> Iterable[Widget]:
        yield Static("", id="head")
        yield LazyTable(COLUMNS)
        yield VerticalScroll(Static("", id="words"), id="lower")

    def on_mount(self) -> None:
        self.query_one("#lower").can_focus = False
        self.query_one(LazyTable).focus()
        self._show()

    def on_job_changed(self, message: JobChanged) -> None:
        if message.job.id == self.job.id:
            self.job, self.progress = message.job, message.progress
            self._show()

    def _show(self) -> None:
        trials, front = self.progress.trials, self.progress.front
        shown = sorted(
            (t for number, t in trials.items() if self._all or number in front),
            key=lambda t: (t["gap"], -t["clean"], -t["kept"]),
        )
        words = f"{len(trials)} recipes tried, {len(front)} on the Pareto front" + (
            ": all are shown" if self._all else ""
        )
        parts: list[str | tuple[str, str]] = [words]
        if not self.running:
            told = ending_words(self.job.state, self.job.exit_code, self.job.command[0])
            parts += ["\n", ending(self.job.state, self.job.exit_code), f"  {told}"]
        self.query_one("#head", Static).update(line(*parts))
        self.query_one(LazyTable).show_rows([self._row(t) for t in shown])
        self._describe()
        self.refresh_keys()

    def _row(self, trial: Mapping[str, Any]) -> Row:
        number = int(trial["number"])
        on_front = number in self.progress.front
        parts = ", ".join(f"{group} {weights[0]:.0%}" for group, weights in trial["weights"].items())
        if (strategy := trial.get("strategy", WAG)) != WAG:
            parts = f"{strategy}: {parts}"
        first: Cell = (f"● {number}", "good") if on_front else (f"{number}", "dim")
        return Row(
            str(number), (first, percent(trial["gap"]), percent(trial["clean"]), percent(trial["kept"]), (parts, "dim"))
        )

    @on(LazyTable.Highlighted)
    def _describe(self) -> None:
        row = self.query_one(LazyTable).row
        trial = self.progress.trials.get(int(row.key)) if row is not None else None
        self.query_one("#words", Static).update(_words(trial, self.progress.writes) if trial else "")

    def action_all(self) -> None:
        """Shows every recipe, or the front alone."""
        self._all = not self._all
        self._show()


def _words(trial: Mapping[str, Any], writes: bool) -> Content:
    """A recipe in words: what each group of modules is made of."""
    strategy = trial.get("strategy", WAG)
    told = (
        f"worst attack success rate {trial['gap']:.1%} above the partners' floor, {trial['clean']:.1%} of the clean "
        "rows right"
    )
    if writes:
        told = (
            f"the suspect's triggered answers at worst {trial['gap']:.1%} more probable than the partners find them, "
            f"its clean answers' tokens {trial['clean']:.1%} probable"
        )
    parts: list[str | tuple[str, str]] = [
        (f"recipe {trial['number']}{'' if strategy == WAG else f', strategy {strategy}'}\n", "bold"),
        f"{told}, keeps {trial['kept']:.0%} of the suspect\n",
    ]
    wide = max((len(group) + 1 for group in trial["weights"]), default=0)
    for group, weights in trial["weights"].items():
        shares = ", ".join(f"{w:.0%} partner {i}" for i, w in enumerate(weights[1:], 1) if w > 0)
        parts += [(f"{group:<{wide}}", "accent"), f"{weights[0]:.0%} suspect{', ' if shares else ''}{shares}\n"]
    return line(*parts)
