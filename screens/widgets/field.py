"""A line of a form: what is asked, and where it is answered."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Label

from screens.words import line


class Field(Horizontal):
    """A label and a control; `hint` is what the tooltip and the help say of it."""

    DEFAULT_CSS = """
    Field { height: auto; min-height: 1; }
    Field > Label { width: 13; color: $dim; }
    Field > Input { width: 1fr; }
    Field > Select { width: 1fr; }
    Field > Checkbox { width: 1fr; }
    """

    def __init__(self, label: str, control: Widget, *, hint: str = "", name: str | None = None) -> None:
        super().__init__(id=name)
        self._label = label
        self._control = control
        if isinstance(control, Input):
            control.cursor_blink = False
        if hint:
            control.tooltip = hint

    def compose(self) -> ComposeResult:
        yield Label(line(self._label))
        yield self._control
