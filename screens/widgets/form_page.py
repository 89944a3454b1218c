"""What the forms of long commands share: the command line as it grows, and keys and buttons to start or copy it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Select, Static

from auditor.requests.arguments import Arguments, Everywhere, shown
from screens.messages import OpenJob
from screens.widgets.background import in_background
from screens.widgets.page import Page
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry


class FormPage(Page):
    """A form about one model, which stands for a command line.

    Subclasses give `command` and `wrong`; their body holds a scrolled box `form` with `buttons` at its end, perhaps a
    box `doc` beside it, and a line `shown` for the command.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f5", "start", "Start", key_display="^s")]
    DEFAULT_CSS = """
    FormPage #form { width: 1fr; padding: 0 1; }
    FormPage #doc { width: 34%; border-left: solid $panel; padding: 0 1; }
    FormPage.-narrow #doc { display: none; }
    FormPage #shown { height: auto; max-height: 5; padding: 0 1; border-top: solid $panel; color: $dim; }
    """

    def __init__(self, entry: CatalogEntry, name: str) -> None:
        super().__init__()
        self.entry = entry
        self.trail = f"Catalog › {entry.name} › {name}"

    def command(self) -> Arguments:
        """What the form says, as arguments of `auditor`."""
        raise NotImplementedError

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        raise NotImplementedError

    def show_choice(self) -> None:
        """Draws what depends on the form's fields."""
        self.query_one("#shown", Static).update(line(shown(self.command(), self.shell.catalog_given)))
        self.refresh_keys()

    def buttons(self, start: str) -> Horizontal:
        """The form's last line."""
        return Horizontal(
            Button(start, id="start", variant="primary", compact=True),
            Button("Copy command", id="copy", compact=True),
            classes="buttons",
        )

    @property
    def everywhere(self) -> Everywhere:
        """The options that every command is given."""
        return Everywhere(self.shell.device, policy=self.shell.chosen.policy)

    def typed(self, key: str) -> str:
        """What a field of text holds."""
        return self.query_one(f"#{key}", Input).value.strip()

    def on_mount(self) -> None:
        self.query_one("#form").can_focus = False

    def why_not(self, action: str) -> str | None:
        return self.wrong() if action == "start" and self.is_mounted else super().why_not(action)

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        if self.is_mounted:
            self.show_choice()

    @on(Button.Pressed, "#copy")
    def _copy_pressed(self) -> None:
        self.action_copy()

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        """Starts the command in the background and follows it."""
        if self.allowed("start"):
            in_background(self, self._start, "start")

    async def _start(self) -> None:
        job = await self.shell.start(self.command(), self.entry.name)
        if job is not None:
            self.app.pop_screen()
            self.app.post_message(OpenJob(job))
