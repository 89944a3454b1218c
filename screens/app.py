"""The terminal application: it reads the catalog, and starts and follows the program's own commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from auditor.jobs.progress import JobProgress
from auditor.jobs.runner import Answer, CannotStart, Runner, Update, is_here
from auditor.requests.arguments import Arguments, shown
from auditor.settings import catalog_url, data_directory
from auditor.visible import visible
from screens import preferences
from screens.disk import free_space
from screens.library import Library, Unavailable
from screens.messages import CatalogChanged, JobChanged, Open, OpenJobs, OpenQuit, OpenReports, OpenSettings
from screens.models.catalog import CatalogScreen
from screens.preferences import Preferences
from screens.themes import THEMES, known
from screens.widgets.key_bar import NAMES, telling
from screens.widgets.page import Page
from screens.widgets.top_line import TopLine
from screens.words import ending

if TYPE_CHECKING:
    from screens.shell import Shell
    from store.records import Job

POLL_SECONDS = 0.4
REST_SECONDS = 0.12
"""How long the cursor rests on a row before its details are read."""
REMEMBERED = 50
"""Jobs whose progress is kept after their end."""


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class AuditorApp(App[None]):
    """The application.

    Args:
        catalog: URL or path of the catalog; the settings', else the program's own by default.
        config: directory of the settings.
        home: directory of the jobs' files and of merged models; the user's data directory by default.
        clock: gives the time that ages are counted from.
        library: a catalog, in place of one by its URL.
    """

    CSS_PATH = "auditor.tcss"
    TITLE = "auditor"
    NOTIFICATION_TIMEOUT = 3
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "jobs", "Jobs"),
        Binding("r", "reports", "Reports"),
        Binding("comma", "settings", "Settings", key_display=","),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        catalog: str | None = None,
        *,
        config: Path | None = None,
        home: Path | None = None,
        clock: Callable[[], datetime] = now,
        library: Library | None = None,
    ) -> None:
        super().__init__()
        self.config = config or preferences.directory()
        self.chosen = preferences.load(self.config)
        self.catalog_given = catalog or self.chosen.catalog
        self.clock = clock
        self.home = home or data_directory()
        self.jobs_directory = self.home / "jobs"
        self.library = library or Library(catalog_url(self.catalog_given or None))
        self.runner = Runner(self.library.url, self.jobs_directory)
        self.running: dict[str, Job] = {}
        self.progress: dict[str, JobProgress] = {}
        self.free_space: Callable[[Path], int | None] = free_space
        self.follows_jobs = True
        self.rest = REST_SECONDS
        self.leaving = False
        self._polling = False
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = known(self.chosen.theme)
        self.animation_level = "none"

    def get_default_screen(self) -> CatalogScreen:
        return CatalogScreen()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {**super().get_theme_variable_defaults(), "dim": "#8b95a7"}

    def on_mount(self) -> None:
        if self.follows_jobs:
            self.set_interval(POLL_SECONDS, self.look_at_jobs)

    def on_unmount(self) -> None:
        self.library.close()

    @property
    def device(self) -> str:
        """The device that commands are given."""
        return self.chosen.device or "auto"

    @property
    def running_here(self) -> tuple[Job, ...]:
        """The running jobs that this machine can end."""
        return tuple(job for job in self.running.values() if is_here(job))

    def go_back(self) -> None:
        """To the screen before; the catalog is the first one."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.notify("This is the first screen; q quits.", markup=False)

    def copy_command(self, arguments: Sequence[str]) -> None:
        """Copies a command line to the terminal's clipboard, and shows it."""
        text = shown(arguments, self.catalog_given)
        self.copy_to_clipboard(text)
        self.notify(visible(text), title="Copied", markup=False)

    def choose(self, chosen: Preferences) -> None:
        """Takes new settings, and keeps them."""
        moved = chosen.catalog != self.catalog_given
        self.chosen = chosen
        self.theme = known(chosen.theme)
        try:
            preferences.save(self.config, chosen)
        except OSError as error:
            self.notify(f"The settings cannot be saved: {error.strerror}", severity="error", markup=False)
        if moved:
            self.open_catalog(chosen.catalog)

    def open_catalog(self, place: str) -> None:
        """Reads another catalog from here on. Jobs of the one before go on, and are found again with it."""
        self.library.close()
        self.catalog_given = place
        self.library = Library(catalog_url(place or None))
        self.runner = Runner(self.library.url, self.jobs_directory)
        self.running = {}
        self.tell_all(CatalogChanged())

    async def start(self, arguments: Arguments, subject: str = "") -> Job | None:
        """Starts a command in the background; None, and a message, where it cannot be started."""
        runner = self.runner
        try:
            job = await self.library.use(lambda catalog: runner.start(catalog, arguments, subject))
        except CannotStart as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            return None
        except Unavailable as error:
            self.notify(visible(error.hint), title=visible(error.message), severity="error", markup=False)
            return None
        self.running[job.id] = job
        self.progress[job.id] = JobProgress()
        self._count_jobs()
        return job

    async def cancel(self, job: Job) -> None:
        """Asks a job to end; it is made to where it does not."""
        runner = self.runner
        await self.library.aside(lambda: runner.cancel(job))

    async def cancel_and_quit(self, jobs: Sequence[Job]) -> None:
        """Asks jobs to end, and closes the application once no job runs."""
        self.leaving = True
        for job in jobs:
            await self.cancel(job)
        self.notify("Cancelling; the application closes when they have ended.", markup=False)

    async def answer(self, arguments: Arguments) -> Answer:
        """What a short command says, waited for in a thread."""
        runner = self.runner
        return await self.library.aside(lambda: runner.answer(arguments))

    async def look_at_jobs(self) -> None:
        """Follows all running jobs by one step, off this thread."""
        if self._polling or not self.library.ready:
            return
        self._polling = True
        try:
            runner = self.runner
            updates = await self.library.use(runner.poll)
        except (Unavailable, RuntimeError):
            # A locked catalog is tried again at the next step; what matters is said where it is read.
            return
        finally:
            self._polling = False
        self._take(updates)

    def _take(self, updates: Sequence[Update]) -> None:
        moment = time.monotonic()
        changed = False
        for update in updates:
            progress = self.progress.setdefault(update.job.id, JobProgress())
            progress.take_all(update.events, moment)
            message = JobChanged(update.job, progress, update.memory)
            if message.ended:
                self.running.pop(update.job.id, None)
                self._tell_end(update.job)
                changed = True
            else:
                self.running[update.job.id] = update.job
            self.tell_all(message)
        if updates:
            self._count_jobs()
        for old in [key for key in self.progress if key not in self.running][:-REMEMBERED]:
            del self.progress[old]
        if changed:
            self.tell_all(CatalogChanged())
        if self.leaving and not self.running_here:
            self.exit()

    def tell_all(self, message: JobChanged | CatalogChanged) -> None:
        """Hands a message to every screen that is open."""
        for screen in self.screen_stack:
            if isinstance(screen, Page):
                screen.post_message(message)

    def _tell_end(self, job: Job) -> None:
        words, tone = ending(job.state, job.exit_code)
        calm = tone in ("good", "dim") or job.exit_code == 1
        severity: Literal["information", "error"] = "information" if calm else "error"
        text = visible(shown(job.command))
        self.notify(text if len(text) < 90 else text[:89] + "…", title=words, severity=severity, markup=False)

    def _count_jobs(self) -> None:
        for screen in self.screen_stack:
            for line in screen.query(TopLine):
                line.running = len(self.running)

    @on(Open)
    def open_page(self, message: Open) -> None:
        """Opens the page or the dialog that was asked for; once, where it was asked for twice."""
        # All pages load with the first one that is opened: the first frame does not wait for them, nor for NumPy.
        from screens import routes

        if getattr(self.screen, "opened_by", None) == message:
            return
        page = routes.page_for(message)
        page.opened_by = message
        self.push_screen(page)
        self.call_after_refresh(self._count_jobs)

    def opening(self) -> bool:
        """Whether the catalog is still being opened; the user is told if it is."""
        if not self.library.ready:
            self.notify("The catalog is still being opened.", markup=False)
        return not self.library.ready

    def action_jobs(self) -> None:
        """Shows all jobs."""
        if not self.opening():
            self._go(OpenJobs())

    def action_reports(self) -> None:
        """Shows all scans and audits."""
        if not self.opening():
            self._go(OpenReports())

    def action_settings(self) -> None:
        """Shows the settings."""
        self._go(OpenSettings())

    def _go(self, message: Open) -> None:
        if not self.screen.is_modal:
            self.post_message(message)

    async def action_quit(self) -> None:
        """Quits; asks first where jobs run."""
        if self.running_here:
            self._go(OpenQuit(self.running_here))
        else:
            self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the keys of the screen do, and the themes."""
        seen = set()
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if not telling(binding) or binding.action in seen or binding.action == "command_palette":
                continue
            seen.add(binding.action)
            key = binding.key_display or NAMES.get(binding.key, binding.key)
            action = getattr(node, f"action_{binding.action}", None)
            words = ((action.__doc__ if action else "") or "").strip().partition("\n")[0]
            yield SystemCommand(
                binding.description,
                f"{words} (key {key})".strip(),
                lambda n=node, a=binding.action: self.call_later(self.run_action, a, n),
            )
        yield SystemCommand(
            "Theme", "another look, also for colour-blind eyes and with high contrast", self.search_themes
        )


if TYPE_CHECKING:
    _: type[Shell] = AuditorApp
