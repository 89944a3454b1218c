"""What every screen about one job has: it can be cancelled while it runs, and started again afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from auditor.jobs.runner import is_here
from auditor.requests.arguments import Arguments
from screens.messages import OpenJob
from screens.widgets.page import Page

if TYPE_CHECKING:
    from auditor.jobs.progress import JobProgress
    from store.records import Job


def job_why_not(job: Job, action: str) -> str | None:
    """Why a job cannot be cancelled or started again now; None where it can."""
    running = str(job.state) == "running"
    if action == "cancel" and not running:
        return "It has ended already."
    if action == "cancel" and not is_here(job):
        return f"It runs on {job.host}, and can be cancelled there."
    if action == "again" and running:
        return "It still runs; cancel it first (x)."
    return None


class JobPage(Page):
    """A job and what its events say so far."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "Cancel"),
        Binding("g", "again", "Resume"),
    ]

    def __init__(self, job: Job, progress: JobProgress) -> None:
        super().__init__()
        self.job = job
        self.progress = progress

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return str(self.job.state) == "running"

    def command(self) -> Arguments | None:
        return self.job.command

    def why_not(self, action: str) -> str | None:
        return job_why_not(self.job, action) or super().why_not(action)

    def action_cancel(self) -> None:
        """Interrupts it as Ctrl-C does; ended by force where it does not stop."""
        if self.allowed("cancel"):
            self.run_worker(self.shell.cancel(self.job))
            self.app.notify("Cancelling; what was finished is stored.", markup=False)

    def action_again(self) -> None:
        """Starts the same command; it goes on from what is stored."""
        if self.allowed("again"):
            self.run_worker(self._again())

    async def _again(self) -> None:
        job = await self.shell.start(self.job.command, self.job.subject)
        if job is None:
            return
        # The screens of the job that has ended give way to the new one's.
        while isinstance(self.app.screen, JobPage):
            self.app.pop_screen()
        self.app.post_message(OpenJob(job))
