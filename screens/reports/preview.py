"""A report as text, as wide as there is room."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from screens.words import line


class Preview(VerticalScroll):
    """Shows a report; says when it should be laid out for another width."""

    HELP = "The report as `auditor report` prints it. Arrows and Page Up or Down scroll."

    @dataclass
    class Resized(Message):
        """There is another width to lay out for."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(id=name)
        self._width = 0

    def compose(self) -> ComposeResult:
        yield Static("")

    @property
    def columns(self) -> int:
        """Columns for text; 0 while it is not shown."""
        return max(0, self.size.width - 2)

    def show(self, text: str) -> None:
        """Shows another report from its beginning."""
        self.query_one(Static).update(line(text))
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        if self.columns != self._width:
            self._width = self.columns
            self.post_message(self.Resized())
