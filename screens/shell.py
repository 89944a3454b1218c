"""What pages and dialogs know of the application: enough to read, to start commands and to go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from auditor.jobs.progress import JobProgress
    from auditor.jobs.runner import Answer
    from auditor.requests.arguments import Arguments
    from screens.library import Library
    from screens.messages import CatalogChanged, JobChanged
    from screens.preferences import Preferences
    from store.records import Job


class Shell(Protocol):
    """The application, as far as a screen needs it.

    Attributes:
        library: the catalog, read off the UI's thread.
        clock: gives the time that ages are counted from.
        rest: seconds that the cursor rests on a row before its details are read.
        home: directory of merged models and of the jobs' files.
        jobs_directory: where jobs keep their files.
        catalog_given: the catalog as the user named it; empty for the default one.
        chosen: the settings.
        free_space: bytes that are free where a path lies or would lie.
        progress: what the events of jobs say so far, by the job's id.
    """

    library: Library
    clock: Callable[[], datetime]
    rest: float
    home: Path
    jobs_directory: Path
    catalog_given: str
    chosen: Preferences
    free_space: Callable[[Path], int | None]
    progress: dict[str, JobProgress]

    @property
    def device(self) -> str:
        """The device that commands are given."""
        ...

    async def start(self, arguments: Arguments, subject: str = "") -> Job | None:
        """Starts a command in the background; None, and a message, where it cannot be started."""
        ...

    async def cancel(self, job: Job) -> None:
        """Asks a job to end; it is made to where it does not."""
        ...

    async def cancel_and_quit(self, jobs: Sequence[Job]) -> None:
        """Asks jobs to end, and closes the application once no job runs."""
        ...

    async def answer(self, arguments: Arguments) -> Answer:
        """What a short command says, waited for in a thread."""
        ...

    def choose(self, chosen: Preferences) -> None:
        """Takes new settings, and keeps them."""
        ...

    def copy_command(self, arguments: Sequence[str]) -> None:
        """Copies a command line to the terminal's clipboard, and shows it."""
        ...

    def tell_all(self, message: JobChanged | CatalogChanged) -> None:
        """Hands a message to every screen that is open."""
        ...

    def go_back(self) -> None:
        """To the screen before."""
        ...
