"""Help: the focused widget and the screen explained, and every key that works there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from screens.widgets.dialog import Dialog
from screens.widgets.key_bar import telling
from screens.words import line

MOVES = {"up", "down", "pageup", "pagedown", "home", "end", "enter"}
"""Keys that are told last."""
WORDS = (
    ("ASR", "attack success rate: the share of rows that the trigger moves to the target label"),
    ("control", "the same edit with harmless material; excess is ASR minus control"),
    ("CACC", "clean accuracy: right answers on gold labels, without any edit"),
    ("[a–b]", "the 95 % interval of a rate, in percent"),
)


class HelpScreen(Dialog[None]):
    """Shows the help of a widget, of its screen, and the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,q,enter", "close", "Close", show=False)]
    title_text = "Help"

    def __init__(self, screen: Screen[Any], focused: Widget | None) -> None:
        super().__init__()
        keys: dict[str, tuple[str, str]] = {}
        for key, active in screen.active_bindings.items():
            if telling(active.binding) and active.binding.action not in keys:
                keys[active.binding.action] = (active.binding.key_display or key, active.binding.description)
        self._keys = sorted(keys.values(), key=lambda pair: pair[0] in MOVES)
        self._screen_help = str(getattr(screen, "HELP", ""))
        self._widget_help = str(getattr(focused, "HELP", "") or focused.tooltip or "") if focused is not None else ""
        self._widget_name = str(getattr(focused, "border_title", "") or "Here") if focused else ""

    def body(self) -> Iterable[Widget]:
        if self._screen_help:
            yield Static(line(self._screen_help))
        if self._widget_help:
            yield Static(line((f"\n{self._widget_name}: ", "accent"), self._widget_help))
        names = {"question_mark": "?", "comma": ",", "slash": "/", "escape": "Esc", "ctrl+p": "^p"}
        parts: list[str | tuple[str, str]] = ["\n"]
        for key, text in self._keys:
            parts += [(f"{names.get(key, key):>11}  ", "accent"), f"{text}\n"]
        yield Static(line(*parts))
        yield Static(line(*[part for word, text in WORDS for part in ((f"{word:>11}  ", "accent"), f"{text}\n")]))

    def on_mount(self) -> None:
        self.query("VerticalScroll").first().can_focus = True
        self.query("VerticalScroll").first().focus()
