"""All that is known of one model, on a screen of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from auditor.requests.arguments import Arguments
from screens.messages import CatalogChanged, OpenPartners, OpenResult, OpenScanForm
from screens.models.describe import describe, read_dossier
from screens.models.kinds import why_no_scan
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.page import Page
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry


class ModelScreen(Page):
    """Profile, lineage and history of a model."""

    HELP = "Profile, lineage of merges as a tree, and the history of scans with the trend of the worst ASR."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "scan", "Scan"),
        Binding("p", "partners", "Partners"),
        Binding("e", "evidence", "Evidence"),
    ]

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__()
        self.entry = entry
        self.trail = f"Catalog › {entry.name}"

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(Static("", id="facts"), classes="grow")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        in_background(self, self._load)

    def on_catalog_changed(self, _: CatalogChanged) -> None:
        in_background(self, self._load)

    async def _load(self) -> None:
        dossier = await self.ask(lambda catalog: read_dossier(catalog, self.entry.id))
        if dossier is None:
            self.query_one("#facts", Static).update(line(("This model is no longer in the catalog.", "warn")))
            return
        self.entry = dossier.entry
        self.query_one("#facts", Static).update(describe(dossier, self.shell.clock()))
        self.refresh_keys()

    def command(self) -> Arguments | None:
        return ("models", "show", name_for(self.entry))

    def why_not(self, action: str) -> str | None:
        if action == "evidence" and self.entry.last_scan is None:
            return f"{self.entry.name} was not scanned yet: press s first."
        if action == "scan" and (why := why_no_scan(self.entry.profile, self.entry.name)):
            return why
        return super().why_not(action)

    def action_scan(self) -> None:
        """Probes the model for backdoors."""
        if self.allowed("scan"):
            self.app.post_message(OpenScanForm(self.entry))

    def action_partners(self) -> None:
        """Shows who can be merged with the model, and why."""
        self.app.post_message(OpenPartners(self.entry))

    def action_evidence(self) -> None:
        """The findings of the last scan."""
        if self.allowed("evidence") and self.entry.last_scan:
            self.app.post_message(OpenResult(self.entry.last_scan))
