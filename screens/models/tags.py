"""The user's words for a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from screens.library import Unavailable
from screens.messages import CatalogChanged
from screens.widgets.dialog import Dialog
from screens.widgets.field import Field
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry


class TagsDialog(Dialog[None]):
    """Changes a model's tags."""

    HELP = "Words to find the model by, with commas between. Enter saves them."
    title_text = "Tags"

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__()
        self._entry = entry

    def body(self) -> Iterable[Widget]:
        yield Static(line((self._entry.name, "bold")))
        yield Field("tags", Input(", ".join(self._entry.tags), placeholder="words with commas between", compact=True))
        yield Static(line(("Enter saves them, Esc cancels.", "dim")))

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        self.run_worker(self._store(event.value.split(",")))

    async def _store(self, tags: list[str]) -> None:
        model = self._entry.id
        try:
            await self.shell.library.use(lambda catalog: catalog.models.tag(model, tags))
        except (Unavailable, LookupError) as error:
            self.app.notify(str(error), severity="error", markup=False)
            return
        self.shell.tell_all(CatalogChanged())
        self.dismiss(None)
