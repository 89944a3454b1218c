"""Takes a model out of the catalog, after asking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Static

from auditor.requests.arguments import remove_arguments, shown
from screens.models.naming import name_for
from screens.widgets.dialog import Dialog
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry


class RemoveDialog(Dialog[None]):
    """Asks first. The user's files are never deleted."""

    HELP = "Removes the model from the catalog. Its files and its scans stay."
    title_text = "Remove"

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__()
        self._entry = entry
        self._arguments = remove_arguments(name_for(entry))

    def body(self) -> Iterable[Widget]:
        yield Static(line("Remove ", (self._entry.name, "bold"), " from the catalog?"))
        yield Static(line((f"Its files stay in {self._entry.profile.ref.path}, its scans stay in the catalog.", "dim")))
        yield Static(line((shown(self._arguments, self.shell.catalog_given), "dim")))
        yield Horizontal(
            Button("Cancel", id="keep", variant="primary", compact=True),
            Button("Remove", id="forget", variant="error", compact=True),
            classes="buttons",
        )

    @on(Button.Pressed, "#keep")
    def _keep(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#forget")
    def _forget(self) -> None:
        self.run_worker(self._start())

    async def _start(self) -> None:
        if await self.shell.start(self._arguments, self._entry.name) is not None:
            self.dismiss(None)
