"""Who can be merged with a model, best first, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from auditor.partners.remarks import Kind
from auditor.requests.arguments import Arguments
from screens.messages import CatalogChanged, OpenMakePartners, OpenMergeForm
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.lazy_table import Cell, Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import line, percent, standing, writes

if TYPE_CHECKING:
    from auditor.partners.ranking import Proposal
    from store.catalog import Catalog
    from store.records import CatalogEntry

COLUMNS = (
    Column("model", 16, grows=True),
    Column("last verdict", 15, 1),
    Column("CACC %", 6, 3, right=True),
    Column("ASR %", 6, 4, right=True),
    Column("why", 30, 2, grows=True),
)

SIGNS = {
    Kind.BLOCKER: ("✗", "bad"),
    Kind.DOUBT: ("?", "bad"),
    Kind.WARNING: ("!", "warn"),
    Kind.FOR: ("+", "good"),
    Kind.NOTE: ("·", "dim"),
}
"""What is said of a partner, in the order in which one should read it."""


class PartnersScreen(Page):
    """Proposals with reasons; blockers on request; several can be marked for a merge."""

    HELP = (
        "Models of the catalog that can be merged with this one, best first, each with its reasons: ? what makes it a "
        "partner only for those who name it, ! what speaks against it, + what speaks for it. Space marks partners, "
        "Enter or m goes on to the merge. b shows the others too, and what forbids them. Where there is none, n makes "
        "some: students that learn the model's own answers to your rows."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "merge", "Merge"),
        Binding("b", "blocked", "Show blocked"),
        Binding("n", "make", "Make partners"),
    ]
    DEFAULT_CSS = """
    PartnersScreen #lower { height: 8; padding: 0 1; border-top: solid $panel; }
    PartnersScreen.-short #lower { height: 3; }
    PartnersScreen #head { height: auto; padding: 0 1; }
    """

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__()
        self.entry = entry
        self.trail = f"Catalog › {entry.name} › Partners"
        self._proposals: list[Proposal] = []
        self._blocked = False

    def body(self) -> Iterable[Widget]:
        yield Static(line(("Comparing profiles…", "dim")), id="head")
        yield LazyTable(COLUMNS, markable=True)
        yield VerticalScroll(Static("", id="words"), id="lower")

    def on_mount(self) -> None:
        self.query_one("#lower").can_focus = False
        self.query_one(LazyTable).focus()
        self.reload()

    def reload(self) -> None:
        """Reads the catalog anew."""
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        suspect = self.entry.profile

        def work(catalog: Catalog) -> list[Proposal]:
            from auditor.partners.proposals import catalogued_partners

            others = [e for e in catalog.models.list() if e.profile.ref.digest != suspect.ref.digest]
            # Here no torch is loaded, which would stop the screen for seconds.
            return catalogued_partners(catalog, suspect, others, load=False)

        self._proposals = await self.ask(work) or []
        self._show()

    def _show(self) -> None:
        usable = [p for p in self._proposals if p.compatibility.ok]
        shown = self._proposals if self._blocked else usable
        blocked = len(self._proposals) - len(usable)
        advised = sum(p.advised for p in usable)
        words = f"{len(usable)} can be merged with {self.entry.name}, {advised} of them advised; {blocked} cannot"
        if not self._proposals:
            words = "The catalog holds no other model of its base and labels. n makes partners from its own answers."
            if self.writes:
                words = "The catalog holds no other model of its base, and no adapter of it."
        elif not usable and not self._blocked:
            words += ": b shows what forbids them"
            words += "" if self.writes else ", n makes partners from its own answers"
        self.query_one("#head", Static).update(line(words))
        self.query_one(LazyTable).show_rows([self._row(p) for p in shown])
        self.refresh_keys()

    @property
    def writes(self) -> bool:
        """Whether the model writes: partners are made of the answers of classifiers only."""
        return writes(self.entry.profile.task)

    def _row(self, proposal: Proposal) -> Row:
        entry = proposal.entry
        ok = proposal.compatibility.ok
        name: Cell = entry.name if ok else (f"✗ {entry.name}", "dim")
        if ok and not proposal.advised:
            name = (f"? {entry.name}", "warn")
        # What speaks against a model is what one must not miss in a column that is cut short.
        why = [r.text for kind in SIGNS for r in proposal.remarks if r.kind is kind]
        cells = (
            name,
            standing(entry),
            percent(entry.cacc),
            percent(entry.worst_asr),
            ("; ".join(why), "dim"),
        )
        return Row(str(entry.id), cells)

    @property
    def proposal(self) -> Proposal | None:
        """The proposal under the cursor."""
        row = self.query_one(LazyTable).row
        return next((p for p in self._proposals if row and str(p.entry.id) == row.key), None)

    @property
    def marked(self) -> list[Proposal]:
        """The marked proposals; without a mark, the one under the cursor if it can be merged."""
        marks = self.query_one(LazyTable).marks
        chosen = [p for p in self._proposals if str(p.entry.id) in marks]
        under = self.proposal
        return chosen or ([under] if under is not None and under.compatibility.ok else [])

    @on(LazyTable.Highlighted)
    def _highlight(self) -> None:
        self.query_one("#words", Static).update(self._describe())
        self.refresh_keys()

    @on(LazyTable.Marked)
    def _marked(self) -> None:
        table = self.query_one(LazyTable)
        for found in self._proposals:
            if not found.compatibility.ok and str(found.entry.id) in table.marks:
                table.mark(str(found.entry.id), False)
                reason = f"It cannot be merged: {found.compatibility.blockers[0]}"
                self.app.notify(reason, severity="warning", markup=False)
        self.refresh_keys()

    def _describe(self) -> Content:
        found = self.proposal
        if found is None:
            return Content("")
        parts: list[str | tuple[str, str]] = [(f"{found.entry.name}\n", "bold")]
        for kind, (sign, tone) in SIGNS.items():
            parts += [part for r in found.remarks if r.kind is kind for part in ((f"{sign} ", tone), f"{r.text}\n")]
        return line(*parts)

    def on_catalog_changed(self, _: CatalogChanged) -> None:
        self.reload()

    @on(LazyTable.Chosen)
    def _choose(self) -> None:
        self.action_merge()

    def command(self) -> Arguments | None:
        return ("partners", name_for(self.entry))

    def why_not(self, action: str) -> str | None:
        if action == "merge" and self.proposal is None:
            return "There is no model to merge with."
        if action == "merge" and not self.marked:
            return "Mark a model that can be merged (space)" + ("." if self.writes else ", or make some (n).")
        if action == "make" and str(self.entry.profile.task) != "text-classification":
            return f"{self.entry.name} is no text classifier; students are made of these."
        return super().why_not(action)

    def action_blocked(self) -> None:
        """Shows those that cannot be merged too, or hides them again."""
        self._blocked = not self._blocked
        self._show()

    def action_make(self) -> None:
        """Makes partners: students of the model's own answers."""
        if self.allowed("make"):
            self.app.post_message(OpenMakePartners(self.entry))

    def action_merge(self) -> None:
        """Chooses weights and strategy for a merge with the marked models."""
        if self.allowed("merge"):
            self.app.post_message(OpenMergeForm(self.entry, tuple(p.entry for p in self.marked)))
