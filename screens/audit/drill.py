"""The rows behind one line of a comparison."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from auditor.errors import AuditorError
from auditor.requests.arguments import Arguments, compare_arguments
from screens.audit.changed import describe_changes, read_changes
from screens.scan.evidence import describe_findings
from screens.widgets.background import in_background
from screens.widgets.page import Page
from screens.words import line

if TYPE_CHECKING:
    from screens.audit.changed import Changes
    from store.catalog import Catalog
    from store.records import Scan


class DrillScreen(Page):
    """Evidence that changed, for one family, variant and target; below it the evidence of the first scan."""

    HELP = "Rows whose triggered text is answered otherwise after the cure: those that left the target come first."

    def __init__(self, before: Scan, after: Scan, family: str, variant: str, target: str) -> None:
        super().__init__()
        self._before, self._after = before, after
        self._family, self._variant, self._target = family, variant, target
        self.trail = f"Compare › {family} {variant} → {target}"

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(Static(line(("Reading the stored answers…", "dim")), id="words"), classes="grow")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        def read(catalog: Catalog) -> Changes:
            return read_changes(catalog, self._before, self._after, self._family, self._variant, self._target)

        try:
            changes = await self.ask(read)
        except (AuditorError, KeyError, ValueError) as error:
            words = line((f"! {error}\n", "warn"))
        else:
            words = describe_changes(changes, self._target) if changes is not None else line("")
        kept = describe_findings(self._before.findings, self._family, self._target)
        self.query_one("#words", Static).update(words + line(("\n\nevidence of the first scan\n", "accent")) + kept)

    def command(self) -> Arguments | None:
        return compare_arguments(self._before.id, self._after.id)
