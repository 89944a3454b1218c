"""What all screens share: the line on top, the keys below, help, copying, and a way to the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from auditor.requests.arguments import Arguments
from screens.library import Unavailable
from screens.messages import Open, OpenHelp
from screens.widgets.key_bar import KeyBar
from screens.widgets.top_line import TopLine

if TYPE_CHECKING:
    from screens.shell import Shell
    from store.catalog import Catalog

T = TypeVar("T")


class Page(Screen[None]):
    """A screen of the application.

    Subclasses give `trail` (where one is), `body`, and, where they stand for a command, `command`.
    """

    HELP: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("y", "copy", "Copy"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("f1", "help", "Help", key_display="F1"),
    ]
    trail = ""
    opened_by: Open | None = None
    """What asked for this page; None for the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-normal"), (110, "-wide"), (160, "-huge")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall"), (32, "-towering")]

    @property
    def shell(self) -> Shell:
        """The application."""
        return cast("Shell", self.app)

    def compose(self) -> ComposeResult:
        line = TopLine()
        line.trail = self.trail
        yield line
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """What stands between the first line and the keys."""
        return ()

    def retitle(self, trail: str) -> None:
        """Says anew where one is."""
        self.trail = trail
        self.query_one(TopLine).trail = trail

    def command(self) -> Arguments | None:
        """The command that does in a pipeline what this screen does; None where there is none."""
        return None

    def why_not(self, action: str) -> str | None:
        """Why an action cannot be used now; None where it can."""
        if action == "copy" and self.command() is None:
            return "There is no command to copy here yet."
        return None

    def allowed(self, action: str) -> bool:
        """Whether an action can be used now; else the user is told why not."""
        reason = self.why_not(action)
        if reason:
            self.app.notify(reason, severity="warning", markup=False)
        return reason is None

    async def ask(self, work: Callable[[Catalog], T]) -> T | None:
        """Reads from the catalog in a thread; None, and a message, where it cannot be read."""
        try:
            return await self.shell.library.use(work)
        except Unavailable as error:
            self.app.notify(error.hint or "Try again.", title=error.message, severity="error", markup=False)
            return None

    def refresh_keys(self) -> None:
        """Draws the keys anew, after what they depend on has changed."""
        for bar in self.query(KeyBar):
            bar.refresh()

    def action_back(self) -> None:
        """Goes to the screen before."""
        self.shell.go_back()

    def action_copy(self) -> None:
        """Copies the command line that does the same elsewhere."""
        if self.allowed("copy") and (arguments := self.command()) is not None:
            self.shell.copy_command(arguments)

    def action_help(self) -> None:
        """Explains the focused widget and lists the keys."""
        self.app.post_message(OpenHelp(self, self.focused))

    def on_key_bar_pressed(self, event: KeyBar.Pressed) -> None:
        self.app.simulate_key(event.key)
