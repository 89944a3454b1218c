"""The line in which one types what to look for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterBar(Input):
    """Hidden until `/`; every letter filters; Enter and Down go to the table, Esc removes the filter."""

    HELP = "Type what to look for: names, sources, architectures, tags. Enter keeps the filter, Esc removes it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "No filter", priority=True),
        Binding("down", "leave", "To the table", show=False),
    ]
    DEFAULT_CSS = """
    FilterBar { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    FilterBar:focus { border: none; }
    FilterBar.-shown { display: block; }
    """

    @dataclass
    class Wanted(Message):
        """Another text is looked for."""

        text: str

    @dataclass
    class Left(Message):
        """The user goes to the table."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(placeholder="filter", id=name, select_on_focus=False, compact=True)
        self.cursor_blink = False

    def open(self) -> None:
        """Shows the line and takes the focus."""
        self.add_class("-shown")
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Keeps the filter."""
        self.set_class(bool(self.value), "-shown")
        self.post_message(self.Left())

    def action_dismiss(self) -> None:
        """Removes the filter."""
        self.value = ""
        self.remove_class("-shown")
        self.post_message(self.Left())
