"""Running and past jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from auditor.requests.arguments import Arguments, shown
from screens.jobs.job_page import job_why_not
from screens.messages import CatalogChanged, JobChanged, OpenJob
from screens.widgets.background import in_background
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import age, duration, ending, line, moment

if TYPE_CHECKING:
    from store.records import Job

COLUMNS = (
    Column("state", 14),
    Column("started", 8, 3, right=True),
    Column("took", 12, 4, right=True),
    Column("command", 20, grows=True),
    Column("id", 12, 5),
)


class JobListScreen(Page):
    """All jobs of this catalog, newest first."""

    HELP = (
        "Every command that was started here, also before the application was closed and opened again. Enter follows "
        "one; x cancels it; g resumes it from what is stored."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "cancel", "Cancel"), Binding("g", "again", "Resume")]
    trail = "Jobs"

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}

    def body(self) -> Iterable[Widget]:
        yield LazyTable(COLUMNS)
        yield Static(line(("No job yet: what you start is listed here.", "dim")), id="empty", classes="note")

    def on_mount(self) -> None:
        self.query_one(LazyTable).focus()
        self.reload()

    def reload(self) -> None:
        """Reads the jobs anew."""
        in_background(self, self._reload, "reload")

    async def _reload(self) -> None:
        count = await self.ask(lambda catalog: catalog.jobs.count())
        self._jobs = {}
        self.query_one(LazyTable).show_pages(count or 0, self._page, keep=True)
        self.query_one("#empty").display = not count

    async def _page(self, offset: int, limit: int) -> Sequence[Row]:
        jobs = await self.ask(lambda catalog: catalog.jobs.list(limit, offset=offset)) or []
        self._jobs |= {job.id: job for job in jobs}
        return [self._row(job) for job in jobs]

    def _row(self, job: Job) -> Row:
        now = self.shell.clock()
        began, ended = moment(job.started), moment(job.finished or "")
        took = ((ended or now) - began).total_seconds() if began else 0.0
        command = shown(job.command)
        return Row(
            job.id, (ending(job.state, job.exit_code), age(job.started, now), duration(took), command, (job.id, "dim"))
        )

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        row = self.query_one(LazyTable).row
        return self._jobs.get(row.key) if row else None

    def on_job_changed(self, message: JobChanged) -> None:
        if message.ended or message.job.id not in self._jobs:
            self.reload()

    def on_catalog_changed(self, _: CatalogChanged) -> None:
        self.reload()

    @on(LazyTable.Highlighted)
    def _highlight(self) -> None:
        self.refresh_keys()

    @on(LazyTable.Chosen)
    def _open(self) -> None:
        if self.job is not None:
            self.app.post_message(OpenJob(self.job))

    def command(self) -> Arguments | None:
        return self.job.command if self.job else None

    def why_not(self, action: str) -> str | None:
        if action in ("cancel", "again") and self.job is None:
            return "Choose a job first."
        return (job_why_not(self.job, action) if self.job else None) or super().why_not(action)

    def action_cancel(self) -> None:
        """Interrupts the job; what was finished is stored."""
        if self.allowed("cancel") and self.job is not None:
            self.run_worker(self.shell.cancel(self.job))
            self.app.notify("Cancelling; what was finished is stored.", markup=False)

    def action_again(self) -> None:
        """Starts it again; it goes on from what is stored."""
        if self.allowed("again") and self.job is not None:
            self.run_worker(self._again(self.job))

    async def _again(self, old: Job) -> None:
        job = await self.shell.start(old.command, old.subject)
        if job is not None:
            self.app.post_message(OpenJob(job))
