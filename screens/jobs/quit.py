"""Asks what becomes of running jobs when the application quits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Static

from auditor.requests.arguments import shown
from screens.widgets.dialog import Dialog
from screens.words import line

if TYPE_CHECKING:
    from store.records import Job


class QuitDialog(Dialog[None]):
    """Leave the jobs running, cancel them, or stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "leave", "Leave them running"),
        Binding("c", "cancel", "Cancel them"),
    ]
    title_text = "Quit"

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        super().__init__()
        self._jobs = jobs

    def body(self) -> Iterable[Widget]:
        count = len(self._jobs)
        yield Static(line(f"{count} job{' runs' if count == 1 else 's run'}:"))
        for job in self._jobs[:5]:
            yield Static(line(("▶ ", "accent"), shown(job.command)[:120]))
        yield Static(line(("Left running, they are found again when the application opens next.", "dim")))
        yield Horizontal(
            Button("[u]L[/u]eave running", id="leave", variant="primary", compact=True),
            Button("[u]C[/u]ancel them", id="cancel", variant="error", compact=True),
            Button("Stay", id="stay", compact=True),
            classes="buttons",
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "leave":
                self.action_leave()
            case "cancel":
                self.action_cancel()
            case _:
                self.dismiss(None)

    def action_leave(self) -> None:
        """Quits; the jobs go on."""
        self.app.exit()

    def action_cancel(self) -> None:
        """Interrupts the jobs and quits."""
        self.dismiss(None)
        # The dialog's own work ends with it.
        self.app.run_worker(self.shell.cancel_and_quit(self._jobs))
