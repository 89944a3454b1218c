"""One job, live or past: how far it is, its scores as they come, its warnings and its end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.jobs.progress import JobProgress
from auditor.jobs.tail import Tail, last_lines
from auditor.requests.arguments import shown
from screens.jobs.job_page import JobPage
from screens.jobs.meter import Meter
from screens.messages import JobChanged, OpenComparison, OpenModel, OpenResult, OpenSearch
from screens.scan.evidence import Manner, describe_findings, describe_seen, explain, fitting
from screens.scan.score_table import ScoreTable
from screens.scan.scores import ScoreView, of_event, of_tally
from screens.widgets.background import in_background
from screens.widgets.laid import Laid
from screens.widgets.lazy_table import LazyTable
from screens.words import ending, ending_words, line, size, stamp, verdict

if TYPE_CHECKING:
    from store.records import Job, Scan

SCORED = {"scan", "audit", "demo"}


class JobScreen(JobPage):
    """Follows a job. Leaving the screen does not stop it."""

    HELP = (
        "A command that runs as a process of its own. Esc leaves it running; x cancels; what was finished is stored; "
        "g resumes it from there. Below stand rows of the score under the cursor, as they are "
        "answered. f shows the recipes that a search has tried. Once it has ended, Enter opens its result."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Result"),
        Binding("f", "search", "Search"),
    ]
    DEFAULT_CSS = """
    JobScreen #head { height: auto; max-height: 5; padding: 0 1; }
    JobScreen #lower { height: 1fr; min-height: 3; padding: 0 1; border-top: solid $panel; }
    JobScreen.-writes #lower { height: 2fr; }
    JobScreen ScoreTable { height: 1fr; }
    JobScreen.-short #head { max-height: 2; }
    JobScreen.-plain ScoreTable { display: none; }
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job, JobProgress())
        self.scan: Scan | None = None
        self.trail = f"Jobs › {job.command[0]} {job.subject}".rstrip()

    def body(self) -> Iterable[Widget]:
        yield Static("", id="head")
        yield Meter()
        yield ScoreTable()
        lower = VerticalScroll(Static("", id="words"), id="lower")
        yield lower

    def on_mount(self) -> None:
        scored = self.job.command[0] in SCORED
        self.set_class(not scored, "-plain")
        self.query_one("#lower" if not scored else ScoreTable).focus()
        in_background(self, self._take_up, "attach")

    async def _take_up(self) -> None:
        """Takes what the application knows of the job, else reads its event file."""
        shell = self.shell
        known = shell.progress.get(self.job.id)
        if known is None:
            tail = Tail(Path(self.job.events))
            events = await shell.library.aside(tail.read_all)
            known = JobProgress()
            known.take_all(events, time.monotonic())
        self.progress = known
        await self._draw(None)

    def on_job_changed(self, message: JobChanged) -> None:
        if message.job.id == self.job.id:
            self.job, self.progress = message.job, message.progress
            in_background(self, partial(self._draw, message.memory), "draw")

    async def _draw(self, memory: int | None) -> None:
        self._draw_head()
        self.query_one(Meter).show(self.progress, memory, self.running)
        writes = self.progress.writes
        self.set_class(writes, "-writes")
        final = {key: of_event(score, writes) for key, score in self.progress.scores.items()}
        so_far = {key: of_tally(score, writes) for key, score in self.progress.interim.items() if key not in final}
        self.query_one(ScoreTable).show_scores([*final.values(), *so_far.values()])
        if self.scan is None and not self.running and self.progress.scans:
            wanted = self.progress.scans[-1]
            self.scan = await self.ask(lambda catalog: catalog.scans.get(wanted))
        await self._draw_words()
        self.refresh_keys()

    def _draw_head(self) -> None:
        words, tone = ending(self.job.state, self.job.exit_code)
        parts: list[str | tuple[str, str]] = [(words, tone), "  "]
        if self.running:
            parts.append(self.progress.text or "Starting: Python and torch are loading.")
        else:
            parts.append(ending_words(self.job.state, self.job.exit_code, self.job.command[0]))
        parts.append((f"\n{shown(self.job.command, self.shell.catalog_given)}", "dim"))
        self.query_one("#head", Static).update(line(*parts))

    async def _draw_words(self) -> None:
        parts: list[str | tuple[str, str]] = []
        if self.scan is not None:
            words, tone = verdict(self.scan.verdict)
            parts += [("scan ", "dim"), f"{self.scan.id}  ", (words, tone), "\n"]
            parts += [part for reason in self.scan.incomplete for part in (("? ", "warn"), f"{reason}\n")]
        if self.progress.audit:
            parts += [("audit ", "dim"), f"{self.progress.audit}  ", stamp(self.progress.last_words), "\n"]
        if self.progress.merged:
            merged = self.progress.merged
            parts += [("merged into ", "dim"), f"{merged.get('output')}\n"]
            parts += [
                f"keeps {float(merged.get('kept', 0)):.0%} of the suspect, {float(merged.get('seconds', 0)):.1f} s, "
            ]
            parts += [f"peak memory {size(merged.get('peak_bytes'))}\n"]
        parts += [part for text in self.progress.warnings[-20:] for part in (("! ", "warn"), f"{text}\n")]
        if not self.running and self.job.exit_code != 0 and not self.progress.scans:
            log = await self.shell.library.aside(lambda: last_lines(Path(self.job.log), 40))
            parts += [("log\n", "accent"), (log.strip() or "the log is empty") + "\n"]
        elif self.job.command[0] not in SCORED and not self.running:
            parts.append(await self.shell.library.aside(lambda: last_lines(Path(self.job.log), 40)))
        told, selected = line(*parts), self.query_one(ScoreTable).selected
        below = self.query_one("#words", Static)
        if selected is None:
            below.update(told)
        elif self.progress.writes:
            below.update(Laid(partial(self._with_evidence, told, selected, self.running)))
        else:
            below.update(self._with_evidence(told, selected, self.running))

    def _with_evidence(self, told: Content, score: ScoreView, first: bool, width: int = 0) -> Content:
        """What is told of the job, and of the score under the cursor; `first` puts that first."""
        shown = explain(score) + Content("\n") + self._evidence(score, Manner(score.writes, width))
        # While it runs, what is under the cursor comes first: the place is small.
        return shown + Content("\n") + told if first else told + shown

    def _evidence(self, score: ScoreView, manner: Manner) -> Content:
        """The findings' evidence of a score; until they are known, rows as they were answered."""
        findings = self.scan.findings if self.scan is not None else ()
        rows = self.progress.rows.get((score.family, score.variant, score.target), ())
        if rows and not fitting(findings, score.family, score.target):
            return describe_seen(rows, score.target, manner)
        return describe_findings(findings, score.family, score.target, manner) if self.scan is not None else Content("")

    @on(LazyTable.Highlighted)
    def _highlight(self) -> None:
        self.query_one("#lower").scroll_home(animate=False)
        in_background(self, self._draw_words, "words")

    @on(LazyTable.Chosen)
    def _choose(self) -> None:
        self.action_open()

    def why_not(self, action: str) -> str | None:
        if action == "search" and not self.progress.trials:
            return "It has tried no recipe: an audit with --search does."
        if action == "open":
            if self.running:
                return "It still runs: its result comes at the end."
            if not (self.progress.scans or self.progress.audit or self.progress.merged):
                return "It left no result."
        return super().why_not(action)

    def action_search(self) -> None:
        """Opens the recipes that a search has tried."""
        if self.allowed("search"):
            self.app.post_message(OpenSearch(self.job, self.progress))

    def action_open(self) -> None:
        """Opens what the job made: the audit's comparison, the scan's result, or the merged model to scan it."""
        if not self.allowed("open"):
            return
        if self.progress.audit:
            self.app.post_message(OpenComparison(audit=self.progress.audit))
        elif self.progress.scans:
            self.app.post_message(OpenResult(self.progress.scans[-1]))
        elif self.progress.merged:
            self.run_worker(self._open_merged(str(self.progress.merged.get("digest", ""))))

    async def _open_merged(self, digest: str) -> None:
        entry = await self.ask(lambda catalog: catalog.models.by_digest(digest))
        if entry is None:
            self.app.notify("The merged model is not in the catalog.", severity="warning", markup=False)
            return
        self.app.post_message(OpenModel(entry))
