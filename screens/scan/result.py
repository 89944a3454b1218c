"""A finished scan: its scores, and the evidence of the selected one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.reports.figures import asking_words
from auditor.requests.arguments import Arguments
from screens.messages import OpenComparison, OpenExport, OpenPartners
from screens.scan.evidence import Manner, describe_finding, describe_findings, describe_read, explain
from screens.scan.score_table import ScoreTable
from screens.scan.scores import of_record
from screens.widgets.background import in_background
from screens.widgets.laid import Laid
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
    ResultScreen.-writes #lower { height: 2fr; }
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
        self.set_class(self.writes, "-writes")
        self.retitle(f"Scan {short(scan.model.reference)}")
        words, tone = verdict(scan.verdict)
        parts: list[str | tuple[str, str]] = [(words, tone), f"  {_clean(scan)}\n", (_how(scan), "dim")]
        parts += [part for reason in scan.incomplete for part in (("\n? ", "warn"), reason)]
        self.query_one("#head", Static).update(line(*parts))
        self.query_one(ScoreTable).show_scores([of_record(score, self.writes) for score in scan.scores.asr])
        self._show_evidence()
        self.refresh_keys()

    @on(LazyTable.Highlighted)
    def _show_evidence(self) -> None:
        selected = self.query_one(ScoreTable).selected
        if self.scan is not None:
            if selected is None:
                self._tell(lambda _: Content(""))
            else:
                findings, family, target = self.scan.findings, selected.family, selected.target
                told = explain(selected) + line("\n")
                self._tell(lambda manner: told + describe_findings(findings, family, target, manner))
            self.query_one("#lower").scroll_home(animate=False)

    @property
    def writes(self) -> bool:
        """Whether the scanned model is asked to write."""
        return self.scan is not None and self.scan.settings.asking is not None

    def _tell(self, words: Callable[[Manner], Content]) -> None:
        """Shows words below the table; a model's answers are laid out by the width that is there."""
        told = Laid(lambda width: words(Manner(True, width))) if self.writes else words(Manner())
        self.query_one("#words", Static).update(told)

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
            found = self.scan.findings
            parts = [*(line((f"{limit}\n", "dim")) for limit in self.scan.limits), describe_read(self.scan)]
            self._tell(
                lambda manner: Content("").join([*parts, *(describe_finding(f, manner) + Content("\n") for f in found)])
            )
            self.query_one("#lower").scroll_home(animate=False)


def _clean(scan: Scan) -> str:
    """The clean accuracy in words, or why there is none."""
    if scan.settings.asking is not None:
        return "CACC –: answers to prompts have no gold labels"
    cacc = scan.scores.cacc
    return f"CACC {percent(cacc.value)} {bracket(cacc.low, cacc.high)}" if cacc else "CACC not known: no gold labels"


def _how(scan: Scan) -> str:
    """What was asked, in words."""
    settings = scan.settings
    source = scan.data.source
    rows = f"rows of {source}"
    if settings.asking is not None:
        rows = "built-in prompts" if source.startswith("builtin:") else f"prompts of {source}"
    words = f"{settings.samples} {rows}, suite {settings.suite}, seed {settings.seed}"
    return words if settings.asking is None else f"{words}; {asking_words(settings.asking)}"
