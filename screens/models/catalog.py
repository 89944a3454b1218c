"""The catalog: all models with their last verdict, and what can be done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from auditor.requests.arguments import Arguments, demo_arguments
from screens.library import Unavailable
from screens.messages import (
    CatalogChanged,
    OpenAdd,
    OpenComparison,
    OpenJob,
    OpenModel,
    OpenPartners,
    OpenPull,
    OpenRemove,
    OpenScanForm,
    OpenTags,
)
from screens.models.describe import Dossier, describe, read_dossier, weight
from screens.models.kinds import why_no_scan
from screens.models.naming import name_for
from screens.models.welcome import Welcome
from screens.widgets.background import in_background
from screens.widgets.filter_bar import FilterBar
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import age, count, line, percent, size, standing

if TYPE_CHECKING:
    from store.catalog import Catalog
    from store.records import CatalogEntry

COLUMNS = (
    Column("name", 20, grows=True, sort="name"),
    Column("verdict", 15, 1, sort="verdict"),
    Column("ASR %", 6, 2, right=True, sort="asr"),
    Column("CACC %", 7, 3, right=True, sort="cacc"),
    Column("scanned", 8, 4, right=True, sort="scanned"),
    Column("params", 8, 5, right=True, sort="parameters"),
    Column("size", 9, 8, right=True),
    Column("architecture", 20, 7, sort="architecture"),
    Column("task", 19, 9, sort="task"),
    Column("tags", 12, 6),
    Column("source", 24, 10, grows=True),
)
ORDERS = ("name", "verdict", "asr", "cacc", "scanned", "parameters", "architecture", "task", "added")
FIRST_DOWN = {"verdict", "asr", "scanned", "parameters", "added"}
"""Orders that begin with the highest: the worst and the newest come first."""


class CatalogScreen(Page):
    """The first screen."""

    HELP = (
        "All models that are known, with the verdict of their last scan; what an earlier one found stands. Choose one "
        "with the arrows, then scan it, look for partners, merge it, or compare two scans. Enter shows all that is "
        "known of it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Add"),
        Binding("s", "scan", "Scan"),
        Binding("p", "partners", "Partners"),
        Binding("c", "compare", "Compare"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("u", "pull", "Pull"),
        Binding("d", "remove", "Remove"),
        Binding("o", "order", "Order"),
        Binding("t", "tags", "Tags"),
        Binding("D", "demo", "Demo", show=False),
        Binding("escape", "back", "Back", show=False),
    ]
    DEFAULT_CSS = """
    CatalogScreen #below { height: 9; border-top: solid $panel; padding: 0 1; display: none; }
    CatalogScreen #details { width: 48; border-left: solid $panel; padding: 0 1; display: none; }
    CatalogScreen #count { height: 1; color: $dim; padding: 0 1; }
    CatalogScreen #trouble { padding: 1 2; display: none; }
    CatalogScreen.-wide #details, CatalogScreen.-huge #details { display: block; }
    CatalogScreen.-huge #details { width: 72; }
    CatalogScreen.-normal.-tall #below, CatalogScreen.-normal.-towering #below { display: block; }
    CatalogScreen Welcome { display: none; }
    CatalogScreen.-empty Welcome { display: block; }
    CatalogScreen.-empty #shelf { display: none; }
    CatalogScreen.-trouble #trouble { display: block; }
    CatalogScreen.-trouble #shelf, CatalogScreen.-trouble Welcome { display: none; }
    """
    trail = "Catalog"

    def __init__(self) -> None:
        super().__init__()
        self.entry: CatalogEntry | None = None
        self._entries: dict[str, CatalogEntry] = {}
        self._text = ""
        self._order = "name"
        self._descending = False
        self._count: int | None = None

    def body(self) -> Iterable[Widget]:
        yield FilterBar("filter")
        yield Static("", id="trouble")
        yield Welcome()
        table = LazyTable(COLUMNS, name="table")
        table.order = self._order
        side = VerticalScroll(Static("", id="facts"), id="details")
        side.can_focus = False
        below = VerticalScroll(Static("", id="facts-below"), id="below")
        below.can_focus = False
        yield Vertical(
            Horizontal(table, side, classes="grow"),
            below,
            Static(line("Opening the catalog…"), id="count"),
            id="shelf",
            classes="grow",
        )

    def on_mount(self) -> None:
        self.query_one(LazyTable).focus()
        self.reload()

    def reload(self, *, keep: bool = False) -> None:
        """Reads the catalog anew."""
        in_background(self, partial(self._reload, keep), "reload")

    async def _reload(self, keep: bool) -> None:
        text = self._text
        try:
            found = await self.shell.library.use(lambda c: (c.models.count(text), c.models.count() if text else None))
        except Unavailable as error:
            self._show_trouble(error)
            return
        self.remove_class("-trouble")
        count_shown, whole = found
        self._count = count_shown if whole is None else whole
        self.set_class(self._count == 0, "-empty")
        self._entries = {}
        table = self.query_one(LazyTable)
        table.order, table.descending = self._order, self._descending
        table.show_pages(count_shown, self._page, keep=keep)
        self._say_count(count_shown)
        if self._count == 0 and (self.focused is table or self.focused is None):
            self.query_one("#add", Button).focus()
        elif self._count and isinstance(self.focused, Button):
            table.focus()

    def _show_trouble(self, error: Unavailable) -> None:
        self.add_class("-trouble")
        words = line(
            (f"! {error.message}\n\n", "bad"), f"{error.hint}\n\n", ("Settings (,) name another catalog.", "dim")
        )
        self.query_one("#trouble", Static).update(words)
        self.query_one("#count", Static).update("")

    def _say_count(self, shown: int) -> None:
        words = (
            f"{shown} model{'s' if shown != 1 else ''}, ordered by {self._order}{' ▼' if self._descending else ' ▲'}"
        )
        if self._text:
            words += f", of {self._count}, holding “{self._text}”"
        self.query_one("#count", Static).update(line(words))

    async def _page(self, offset: int, limit: int) -> Sequence[Row]:
        text, order, down = self._text, self._order, self._descending

        def read(catalog: Catalog) -> list[CatalogEntry]:
            return catalog.models.list(text=text, order=order, descending=down, limit=limit, offset=offset)

        entries = await self.ask(read) or []
        self._entries |= {str(e.id): e for e in entries}
        return [self._row(e) for e in entries]

    def _row(self, entry: CatalogEntry) -> Row:
        profile = entry.profile
        revision = f"@{profile.ref.revision[:8]}" if profile.ref.revision else ""
        cells = (
            entry.name,
            standing(entry),
            percent(entry.worst_asr),
            percent(entry.cacc),
            age(entry.last_scanned, self.shell.clock()),
            count(profile.parameters),
            size(weight(profile)),
            profile.architecture,
            str(profile.task),
            (", ".join(entry.tags), "dim"),
            (profile.ref.reference + revision, "dim"),
        )
        return Row(str(entry.id), cells)

    @on(LazyTable.Highlighted)
    def _highlight(self, event: LazyTable.Highlighted) -> None:
        self.entry = self._entries.get(event.row.key) if event.row else None
        self.refresh_keys()
        in_background(self, self._show_details, "details")

    async def _show_details(self) -> None:
        entry = self.entry
        if entry is None:
            self._put_details(Content(""))
            return
        await asyncio.sleep(self.shell.rest)
        dossier = await self.ask(lambda c: read_dossier(c, entry.id))
        if self.entry is entry and isinstance(dossier, Dossier):
            self._put_details(describe(dossier, self.shell.clock()))

    def _put_details(self, words: Content) -> None:
        for name in ("#facts", "#facts-below"):
            self.query_one(name, Static).update(words)

    @on(LazyTable.Chosen)
    def _open_model(self) -> None:
        if self.entry is not None:
            self.app.post_message(OpenModel(self.entry))

    @on(LazyTable.SortWanted)
    def _sort(self, event: LazyTable.SortWanted) -> None:
        down = not self._descending if event.order == self._order else event.order in FIRST_DOWN
        self._order, self._descending = event.order, down
        self.reload()

    @on(FilterBar.Wanted)
    def _filter(self, event: FilterBar.Wanted) -> None:
        self._text = event.text.strip()
        self.reload()

    @on(FilterBar.Left)
    def _leave_filter(self) -> None:
        self.query_one(LazyTable).focus()

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        self.run_worker(self.run_action(event.button.id or ""))

    def on_catalog_changed(self, _: CatalogChanged) -> None:
        self.reload(keep=True)

    def on_screen_resume(self) -> None:
        if self._count is not None:
            self.reload(keep=True)

    def why_not(self, action: str) -> str | None:
        if action in ("scan", "partners", "compare", "remove", "tags") and self.entry is None:
            return "Choose a model first." if self._count else "The catalog is empty: add a model first (a)."
        if action in ("filter", "order") and not self._count:
            return "The catalog is empty: there is nothing to look through."
        if action == "compare" and self.entry is not None and self.entry.last_scan is None:
            return f"{self.entry.name} was not scanned yet: press s first."
        if action == "scan" and self.entry is not None and (why := why_no_scan(self.entry.profile, self.entry.name)):
            return why
        return super().why_not(action)

    def command(self) -> Arguments | None:
        return ("models", "show", name_for(self.entry)) if self.entry else ("models", "list")

    def action_filter(self) -> None:
        """Looks for a text in names, sources, architectures and tags."""
        if self.allowed("filter"):
            self.query_one(FilterBar).open()

    def action_order(self) -> None:
        """Orders by the next column."""
        if self.allowed("order"):
            self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
            self._descending = self._order in FIRST_DOWN
            self.reload()

    def action_add(self) -> None:
        """Adds a directory to the catalog; nothing is copied."""
        self.app.post_message(OpenAdd())

    def action_pull(self) -> None:
        """Fetches a model from the hub, after showing its size and licence."""
        self.app.post_message(OpenPull())

    def action_remove(self) -> None:
        """Forgets the model; its files stay."""
        if self.allowed("remove") and self.entry is not None:
            self.app.post_message(OpenRemove(self.entry))

    def action_tags(self) -> None:
        """Changes the words to find the model by."""
        if self.allowed("tags") and self.entry is not None:
            self.app.post_message(OpenTags(self.entry))

    def action_scan(self) -> None:
        """Probes the model for backdoors."""
        if self.allowed("scan") and self.entry is not None:
            self.app.post_message(OpenScanForm(self.entry))

    def action_partners(self) -> None:
        """Shows who can be merged with the model, and why."""
        if self.allowed("partners") and self.entry is not None:
            self.app.post_message(OpenPartners(self.entry))

    def action_compare(self) -> None:
        """Puts the last scan beside another one."""
        if self.allowed("compare") and self.entry is not None:
            self.app.post_message(OpenComparison(before=self.entry.last_scan))

    def action_demo(self) -> None:
        """Runs the demo; its models come into this catalog."""
        self.run_worker(self._demo())

    async def _demo(self) -> None:
        shell = self.shell
        job = await shell.start(demo_arguments(str(shell.home / "demo"), shell.library.url), "demo")
        if job is not None:
            self.app.post_message(OpenJob(job))
