"""What all dialogs share: a box in the middle, Esc closes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget

if TYPE_CHECKING:
    from screens.messages import Open
    from screens.shell import Shell

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A box over the screen. Subclasses give `body`; Esc closes it without a result."""

    HELP: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]
    title_text = ""
    opened_by: Open | None = None
    """What asked for this dialog."""

    @property
    def shell(self) -> Shell:
        """The application."""
        return cast("Shell", self.app)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = self.title_text
            box.can_focus = False
            yield from self.body()

    def body(self) -> Iterable[Widget]:
        """What stands in the box."""
        return ()

    def action_close(self) -> None:
        """Closes the dialog."""
        self.dismiss(None)
