"""All scans and audits that are stored: preview, export, open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from auditor.reports.format import FORMATS
from auditor.requests.arguments import Arguments
from screens.messages import CatalogChanged, OpenComparison, OpenExport, OpenResult
from screens.reports.preview import Preview
from screens.widgets.background import in_background
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import age, line, percent, short, stamp, verdict

if TYPE_CHECKING:
    from store.audits import AuditSummary
    from store.catalog import Catalog
    from store.scans import ScanRow

COLUMNS = (
    Column("kind", 5, 4),
    Column("result", 16),
    Column("model", 14, grows=True),
    Column("worst ASR %", 11, 2, right=True),
    Column("CACC %", 6, 3, right=True),
    Column("age", 6, 1, right=True),
    Column("id", 12, 5),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a row stands for."""

    id: str
    kind: str


class ReportsScreen(Page):
    """Audits first, then scans, each newest first, with a preview of the report."""

    HELP = (
        "Every stored audit and scan. Enter opens it: an audit's comparison, a scan's scores with evidence. "
        "e exports a report in any format: text, HTML, JSON, SARIF and others; v shows the preview alone."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "export", "Export"), Binding("v", "preview", "Preview")]
    DEFAULT_CSS = """
    ReportsScreen #preview { width: 82; border-left: solid $panel; padding: 0 1; display: none; }
    ReportsScreen.-wide #preview, ReportsScreen.-huge #preview { display: block; }
    ReportsScreen.-wide #preview { width: 60%; }
    ReportsScreen.-preview #preview { display: block; width: 1fr; }
    ReportsScreen.-preview LazyTable { display: none; }
    """
    trail = "Reports"

    def __init__(self) -> None:
        super().__init__()
        self._audits = 0
        self.kept: Kept | None = None

    def body(self) -> Iterable[Widget]:
        yield Horizontal(LazyTable(COLUMNS), Preview("preview"), classes="grow")
        yield Static(line(("Nothing is stored yet: scan a model first.", "dim")), id="empty", classes="note")

    def on_mount(self) -> None:
        self.query_one(LazyTable).focus()
        self.reload()

    def reload(self) -> None:
        """Reads the catalog anew."""
        in_background(self, self._reload, "reload")

    async def _reload(self) -> None:
        counts = await self.ask(lambda catalog: (len(catalog.audits.list()), catalog.scans.count()))
        self._audits, scans = counts or (0, 0)
        self.query_one(LazyTable).show_pages(self._audits + scans, self._page, keep=True)
        self.query_one("#empty").display = not self._audits + scans

    async def _page(self, offset: int, limit: int) -> Sequence[Row]:
        audits = self._audits

        def read(catalog: Catalog) -> tuple[list[AuditSummary], list[ScanRow]]:
            first = catalog.audits.list(limit=limit, offset=offset) if offset < audits else []
            left = limit - len(first)
            return first, catalog.scans.list(limit=left, offset=max(0, offset - audits)) if left else []

        found = await self.ask(read)
        now = self.shell.clock()
        rows = []
        for a in found[0] if found else ():
            cells = ("audit", stamp(a.stamp), short(a.reference), "", "", age(a.finished, now), (a.id, "dim"))
            rows.append(Row(f"audit {a.id}", cells))
        for s in found[1] if found else ():
            figures = percent(s.worst_asr), percent(s.cacc)
            cells = ("scan", verdict(s.verdict), short(s.reference), *figures, age(s.finished, now), (s.id, "dim"))
            rows.append(Row(f"scan {s.id}", cells))
        return rows

    @on(LazyTable.Highlighted)
    def _highlight(self, event: LazyTable.Highlighted) -> None:
        self.kept = None
        if event.row is not None:
            kind, _, record = event.row.key.partition(" ")
            self.kept = Kept(record, kind)
        self.refresh_keys()
        in_background(self, self._show, "preview")

    async def _show(self) -> None:
        await asyncio.sleep(self.shell.rest)
        kept, pane = self.kept, self.query_one(Preview)
        width = pane.columns
        if kept is None or not width:
            return

        def read(catalog: Catalog) -> str:
            record = catalog.audits.get(kept.id) if kept.kind == "audit" else catalog.scans.get(kept.id)
            return FORMATS["text"].render(record, width=width) if record else "It is no longer stored."

        text = await self.ask(read)
        if self.kept == kept:
            pane.show(text or "")

    @on(Preview.Resized)
    def _lay_out(self) -> None:
        in_background(self, self._show, "preview")

    def on_catalog_changed(self, _: CatalogChanged) -> None:
        self.reload()

    @on(LazyTable.Chosen)
    def _open(self) -> None:
        if self.kept is None:
            return
        if self.kept.kind == "audit":
            self.app.post_message(OpenComparison(audit=self.kept.id))
        else:
            self.app.post_message(OpenResult(self.kept.id))

    def command(self) -> Arguments | None:
        return ("report", self.kept.id) if self.kept else ("report", "--list")

    def why_not(self, action: str) -> str | None:
        if action in ("export", "preview") and self.kept is None:
            return "Nothing is stored yet: scan a model first."
        return super().why_not(action)

    def action_preview(self) -> None:
        """Shows the report alone, or the list again."""
        if self.allowed("preview"):
            alone = not self.has_class("-preview")
            self.set_class(alone, "-preview")
            (self.query_one("#preview") if alone else self.query_one(LazyTable)).focus()

    def action_back(self) -> None:
        if self.has_class("-preview"):
            self.action_preview()
        else:
            super().action_back()

    def action_export(self) -> None:
        """Writes the report into a file, in any format."""
        if self.allowed("export") and self.kept is not None:
            self.app.post_message(OpenExport(self.kept.id, self.kept.kind))
