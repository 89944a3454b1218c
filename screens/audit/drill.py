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
from screens.audit.changed_answers import describe_answer_changes, read_answer_changes
from screens.scan.evidence import Manner, describe_findings
from screens.widgets.background import in_background
from screens.widgets.laid import Laid
from screens.widgets.page import Page
from screens.words import line

if TYPE_CHECKING:
    from textual.content import Content
    from textual.visual import VisualType

    from screens.audit.changed import Changes
    from screens.audit.changed_answers import AnswerChanges
    from store.catalog import Catalog
    from store.records import Scan


class DrillScreen(Page):
    """Evidence that changed, for one family, variant and target; below it the evidence of the first scan."""

    HELP = (
        "Rows whose triggered text is answered otherwise after the cure: those that left the target come first. Of a "
        "model that writes, the prompts that brought the behaviour about before or after, with both answers."
    )

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
        try:
            words = await (self._answers() if self._before.settings.asking is not None else self._rows())
        except (AuditorError, KeyError, ValueError) as error:
            told = line((f"! {error}\n", "warn"))
            words = Laid(lambda width: self._with_evidence(told, width))
        self.query_one("#words", Static).update(words)

    async def _rows(self) -> VisualType:
        def read(catalog: Catalog) -> Changes:
            return read_changes(catalog, self._before, self._after, self._family, self._variant, self._target)

        changes = await self.ask(read)
        return self._with_evidence(describe_changes(changes, self._target) if changes is not None else line(""))

    async def _answers(self) -> VisualType:
        def read(catalog: Catalog) -> AnswerChanges:
            return read_answer_changes(catalog, self._before, self._after, self._family, self._variant, self._target)

        changes = await self.ask(read)
        if changes is None:
            return line("")
        told = changes
        return Laid(lambda w: self._with_evidence(describe_answer_changes(told, self._target, w), w))

    def _with_evidence(self, words: Content, width: int = 0) -> Content:
        manner = Manner(self._before.settings.asking is not None, width)
        kept = describe_findings(self._before.findings, self._family, self._target, manner)
        return words + line(("\n\nevidence of the first scan\n", "accent")) + kept

    def command(self) -> Arguments | None:
        return compare_arguments(self._before.id, self._after.id)
