"""The keys that work here, in one line. A key that cannot be used now is dim; pressing it says why."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import RenderResult
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

NAMES = {
    "question_mark": "?",
    "escape": "Esc",
    "slash": "/",
    "enter": "Enter",
    "space": "Space",
    "delete": "Del",
    "comma": ",",
    "ctrl+p": "^p",
    "ctrl+s": "^s",
}
LATER = ("copy", "help", "jobs", "reports", "settings", "quit", "back")
"""Actions that every screen has: what is particular to a screen comes first."""

ALWAYS = "help"
"""The action whose key is shown however little room there is: it lists the others."""

OTHERS = (
    "scroll",
    "page_",
    "cursor",
    "delete",
    "home",
    "end",
    "select",
    "copy_selected",
    "maximize",
    "copy_text",
    "move",
    "leap",
    "edge",
    "focus",
    "app.focus",
)
"""Actions of the toolkit's own widgets that every text field or list has: what they do is known."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, what it does, and whether that can be done now."""

    key: str
    name: str
    action: str
    text: str
    usable: bool


class KeyBar(Widget):
    """Drawn from the bindings of the focused widget, the screen and the application; a click presses the key."""

    HELP = "The keys that work here. Click one to press it."
    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; background: $surface; color: $foreground; }
    """

    @dataclass
    class Pressed(Message):
        """A key was clicked."""

        key: str

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render(self) -> RenderResult:
        parts: list[Content] = []
        self._places = []
        at = 0
        keys = self._shown()
        reserve = sum(_length(key) for key in keys if key.action == ALWAYS)
        for key in keys:
            length = _length(key)
            reserve -= length if key.action == ALWAYS else 0
            if at + length + reserve > self.size.width + 1:
                continue
            self._places.append((at, at + length, key.key))
            at += length
            parts.append(Content.styled(f" {key.name} ", "$accent bold" if key.usable else "$dim"))
            parts.append(Content.styled(f"{key.text} ", "" if key.usable else "$dim"))
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._places:
            if start <= event.x < end:
                self.post_message(self.Pressed(key))

    def _shown(self) -> list[Key]:
        found: dict[str, Key] = {}
        why_not = getattr(self.screen, "why_not", None)
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            if binding.show and binding.description and binding.action not in found:
                usable = active.enabled and not (why_not and why_not(binding.action))
                name = binding.key_display or NAMES.get(key, key)
                found[binding.action] = Key(key, name, binding.action, binding.description, usable)
        return sorted(found.values(), key=lambda k: LATER.index(k.action) + 1 if k.action in LATER else 0)


def _length(key: Key) -> int:
    return len(key.name) + len(key.text) + 3


def telling(binding: Binding) -> bool:
    """Whether a binding is worth telling of: not what every text field and list does."""
    return bool(binding.description) and not binding.action.removeprefix("screen.").startswith(OTHERS)
