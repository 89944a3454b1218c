"""A finished scan: its scores, and the evidence of the selected one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.requests.arguments import Arguments
from screens.messages import OpenComparison, OpenExport, OpenPartners
from screens.scan.evidence import describe_finding, describe_findings, describe_read, explain
from screens.scan.score_table import ScoreTable
from screens.scan.scores import of_record
from screens.widgets.background import in_background
from screens.widgets.lazy_table import LazyTable
from screens.widgets.page import Page
from screens.words import bracket, line, percent, short, verdict

if TYPE_CHECKING:
    from store.records import Scan


class ResultScreen(Page):
    """Scores above, evidence below."""

    HELP = (
        "The scan's verdict, its scores, and below the evidence of the row under the cursor. "
        "l: what was not tried, and what of the model and of the data was read."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "partners", "Partners"),
        Binding("e", "export", "Export"),
        Binding("c", "compare", "Compare"),
        Binding("l", "limits", "Limits"),
    ]
    DEFAULT_CSS = """
    ResultScreen #head { height: auto; max-height: 6; padding: 0 1; }
    ResultScreen ScoreTable { height: 1fr; }
    ResultScreen #lower { height: 1fr; padding: 0 1; border-top: solid $panel; }
    """

    def __init__(self, scan_id: str) -> None:
        super().__init__()
        self.scan_id = scan_id
        self.scan: Scan | None = None
        self.trail = f"Scan {scan_id}"

    def body(self) -> Iterable[Widget]:
        yield Static("", id="head")
        yield ScoreTable()
        yield VerticalScroll(Static("", id="words"), id="lower")

    def on_mount(self) -> None:
        self.query_one(ScoreTable).focus()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        scan = await self.ask(lambda catalog: catalog.scans.get(self.scan_id))
        if scan is None:
            self.query_one("#head", Static).update(line(("This scan is no longer stored.", "warn")))
            return
        self.scan = scan
        self.retitle(f"Scan {short(scan.model.reference)}")
        words, tone = verdict(scan.verdict)
        cacc = scan.scores.cacc
        clean = (
            f"CACC {percent(cacc.value)} {bracket(cacc.low, cacc.high)}" if cacc else "CACC not known: no gold labels"
        )
        parts: list[str | tuple[str, str]] = [(words, tone), f"  {clean}\n"]
        parts.append(
            (
                f"{scan.settings.samples} rows of {scan.data.source}, suite {scan.settings.suite}, "
                f"seed {scan.settings.seed}",
                "dim",
            )
        )
        parts += [part for reason in scan.incomplete for part in (("\n? ", "warn"), reason)]
        self.query_one("#head", Static).update(line(*parts))
        self.query_one(ScoreTable).show_scores([of_record(score) for score in scan.scores.asr])
        self._show_evidence()
        self.refresh_keys()

    @on(LazyTable.Highlighted)
    def _show_evidence(self) -> None:
        selected = self.query_one(ScoreTable).selected
        if self.scan is not None:
            words = Content("")
            if selected is not None:
                found = describe_findings(self.scan.findings, selected.family, selected.target)
                words = explain(selected) + line("\n") + found
            self.query_one("#words", Static).update(words)
            self.query_one("#lower").scroll_home(animate=False)

    @on(LazyTable.Chosen)
    def _open(self) -> None:
        self.query_one("#lower").focus()

    def command(self) -> Arguments | None:
        return ("report", self.scan_id)

    def why_not(self, action: str) -> str | None:
        if self.scan is None and action in ("export", "compare", "limits", "partners"):
            return "The scan is not loaded."
        return super().why_not(action)

    def action_partners(self) -> None:
        """Who can be merged with the scanned model, and how partners are made."""
        if self.allowed("partners"):
            in_background(self, self._partners, "partners")

    async def _partners(self) -> None:
        scan = self.scan
        entry = await self.ask(lambda catalog: catalog.models.by_digest(scan.model.digest)) if scan else None
        if entry is None:
            self.app.notify("The scanned model is not in the catalog any more.", severity="warning", markup=False)
            return
        self.app.post_message(OpenPartners(entry))

    def action_export(self) -> None:
        """Writes the report into a file, in any format."""
        if self.allowed("export"):
            self.app.post_message(OpenExport(self.scan_id, "scan"))

    def action_compare(self) -> None:
        """Puts the last scan beside another one."""
        if self.allowed("compare"):
            self.app.post_message(OpenComparison(before=self.scan_id))

    def action_limits(self) -> None:
        """What was not tried, and what was read."""
        if self.allowed("limits") and self.scan is not None:
            parts = [line((f"{limit}\n", "dim")) for limit in self.scan.limits]
            findings = [describe_finding(f) + Content("\n") for f in self.scan.findings]
            self.query_one("#words", Static).update(Content("").join([*parts, describe_read(self.scan), *findings]))
            self.query_one("#lower").scroll_home(animate=False)
