"""A table that asks for the rows it shows, a page at a time: a hundred thousand rows cost what a screenful does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from auditor.visible import visible

PAGE = 100
PAGES = 30
GAP = 2
ASCENDING, DESCENDING = " ▲", " ▼"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Where there is no room, those of the highest `rank` go first; one that `grows` takes what is left over.

    `sort` is the order that a click on its head asks for.
    """

    title: str
    width: int
    rank: int = 0
    right: bool = False
    grows: bool = False
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell that is drawn to the width which its column gets, as a bar is."""

    draw: Callable[[int], str]
    tone: str = ""


Cell = str | tuple[str, str] | Drawn
"""Text, text with a tone (see `screens.words`), or something drawn."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: what it stands for, and a cell a column."""

    key: str
    cells: tuple[Cell, ...]


Fetch = Callable[[int, int], Awaitable[Sequence[Row]]]
"""Gives the rows from an offset on, at most so many."""


class LazyTable(ScrollView, can_focus=True):
    """Rows under a head that stays; a cursor; marks where `markable`."""

    HELP = (
        "A table. Up and down move, Page Up and Page Down leap, Home and End go to the ends, Enter opens. "
        "A click on a head sorts by it; a second one turns the order round."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "leap(-1)", "Page up", show=False),
        Binding("pagedown", "leap(1)", "Page down", show=False),
        Binding("home", "edge(0)", "First", show=False),
        Binding("end", "edge(1)", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
        Binding("space", "turn_mark", "Mark"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lazy-table--head",
        "lazy-table--cursor",
        "lazy-table--bad",
        "lazy-table--warn",
        "lazy-table--good",
        "lazy-table--dim",
        "lazy-table--accent",
    }
    DEFAULT_CSS = """
    LazyTable {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        background: $background;
        & > .lazy-table--head { color: $dim; background: $surface; text-style: bold; }
        & > .lazy-table--cursor { background: $panel; }
        & > .lazy-table--bad { color: $error; }
        & > .lazy-table--warn { color: $warning; }
        & > .lazy-table--good { color: $success; }
        & > .lazy-table--dim { color: $dim; }
        & > .lazy-table--accent { color: $accent; }
        &:focus > .lazy-table--cursor { background: $primary 30%; text-style: bold; }
    }
    """
    cursor: reactive[int] = reactive(0, repaint=True)

    @dataclass
    class Highlighted(Message):
        """The cursor stands on another row, or its row came in; None where the table is empty."""

        table: LazyTable
        row: Row | None

        @property
        def control(self) -> LazyTable:
            return self.table

    @dataclass
    class Chosen(Message):
        """Enter, or a second click on the cursor's row."""

        table: LazyTable
        row: Row

        @property
        def control(self) -> LazyTable:
            return self.table

    @dataclass
    class SortWanted(Message):
        """A head was clicked."""

        table: LazyTable
        order: str

        @property
        def control(self) -> LazyTable:
            return self.table

    @dataclass
    class Marked(Message):
        """The marks changed."""

        table: LazyTable

        @property
        def control(self) -> LazyTable:
            return self.table

    def __init__(
        self, columns: Sequence[Column], *, markable: bool = False, name: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=name, classes=classes)
        self.columns = tuple(columns)
        self.markable = markable
        self.marks: set[str] = set()
        self.order = ""
        self.descending = False
        self._count = 0
        self._fetch: Fetch | None = None
        self._pages: dict[int, Sequence[Row]] = {}
        self._asked: set[int] = set()
        self._generation = 0
        self._wanted_key: str | None = None

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    @property
    def row(self) -> Row | None:
        """The cursor's row, None where it is not here."""
        return self.row_at(self.cursor)

    def row_at(self, index: int) -> Row | None:
        """A row, None where it has not come in."""
        page = self._pages.get(index // PAGE, ())
        return page[index % PAGE] if 0 <= index < self._count and index % PAGE < len(page) else None

    def show_rows(self, rows: Sequence[Row], *, keep: bool = True) -> None:
        """Shows rows that are all at hand; the cursor stays on its row where that is still there."""
        key = self.row.key if keep and self.row else None
        self._renew(len(rows), None)
        self._pages = {start // PAGE: rows[start : start + PAGE] for start in range(0, len(rows), PAGE)}
        places = {row.key: index for index, row in enumerate(rows)}
        self._place(places.get(key, min(self.cursor, len(rows) - 1)) if key else 0)

    def show_pages(self, count: int, fetch: Fetch, *, keep: bool = False) -> None:
        """Shows rows that are fetched as they come into sight."""
        self._wanted_key = self.row.key if keep and self.row else None
        self._renew(count, fetch)
        self._place(min(self.cursor, count - 1) if keep else 0)
        self._ask(self.cursor // PAGE)

    def toggle(self, key: str) -> None:
        """Turns a row's mark round."""
        self.mark(key, key not in self.marks)

    def action_turn_mark(self) -> None:
        """Marks the cursor's row, or takes its mark."""
        if self.markable and self.row is not None:
            self.toggle(self.row.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.markable if action == "turn_mark" else True

    def mark(self, key: str, on: bool) -> None:
        """Sets or takes a row's mark."""
        (self.marks.add if on else self.marks.discard)(key)
        self.post_message(self.Marked(self))
        self.refresh()

    def _renew(self, count: int, fetch: Fetch | None) -> None:
        self._generation += 1
        self._pages, self._asked = {}, set()
        self._count, self._fetch = count, fetch
        self.virtual_size = Size(self.size.width, count + 1)
        self.refresh()

    def _place(self, index: int) -> None:
        index = max(0, index)
        if index == self.cursor:
            self._tell()
        self.cursor = index
        self._into_sight()

    def _ask(self, number: int) -> None:
        if self._fetch is not None and number not in self._asked and 0 <= number * PAGE < self._count:
            self._asked.add(number)
            self.run_worker(self._bring(number, self._fetch, self._generation), group="pages", exit_on_error=False)

    async def _bring(self, number: int, fetch: Fetch, generation: int) -> None:
        rows = await fetch(number * PAGE, PAGE)
        if generation != self._generation:
            return
        self._pages[number] = rows
        while len(self._pages) > PAGES:
            far = max(self._pages, key=lambda page: abs(page - number))
            del self._pages[far]
            self._asked.discard(far)
        self.refresh()
        if self.cursor // PAGE == number and self._wanted_key is not None:
            # The cursor stays on its row where a change has moved that within the page.
            places = [index for index, row in enumerate(rows) if row.key == self._wanted_key]
            self._wanted_key = None
            if places:
                self._place(number * PAGE + places[0])
                return
        if self.cursor // PAGE == number:
            self._tell()

    def _tell(self) -> None:
        self.post_message(self.Highlighted(self, self.row))

    def watch_cursor(self) -> None:
        self._tell()

    def _into_sight(self) -> None:
        body = max(1, self.size.height - 1)
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + body:
            self.scroll_to(y=self.cursor - body + 1, animate=False)

    def action_move(self, by: int) -> None:
        if self._count:
            self._place(min(self._count - 1, max(0, self.cursor + by)))

    def action_leap(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - 2))

    def action_edge(self, end: int) -> None:
        self._place(self._count - 1 if end else 0)

    def action_choose(self) -> None:
        if (row := self.row) is None:
            # The screen may have a use for the key.
            raise SkipAction
        self.post_message(self.Chosen(self, row))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._click_head(offset.x)
            return
        index = round(self.scroll_y) + offset.y - 1
        if index >= self._count:
            return
        if index == self.cursor and (row := self.row) is not None:
            self.post_message(self.Chosen(self, row))
        else:
            self._place(index)

    def _click_head(self, x: int) -> None:
        at = 0
        for column, width in self._layout():
            if at <= x < at + width + GAP and column.sort:
                self.post_message(self.SortWanted(self, column.sort))
            at += width + GAP

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self._count + 1)
        self._into_sight()

    @property
    def _width(self) -> int:
        """Of a line: a scroll bar takes its share of the table."""
        return self.scrollable_content_region.width

    def _layout(self) -> list[tuple[Column, int]]:
        """The columns that fit, with their widths."""
        room = self._width - (4 if self.markable else 0)
        kept = list(self.columns)
        while len(kept) > 1 and sum(c.width + GAP for c in kept) - GAP > room:
            highest = max(c.rank for c in kept)
            kept = [c for c in kept if c.rank != highest] or kept[:1]
        left = max(0, room - sum(c.width + GAP for c in kept) + GAP)
        growing = [c for c in kept if c.grows]
        return [(c, c.width + (left // len(growing) if c in growing else 0)) for c in kept]

    def render_line(self, y: int) -> Strip:
        width = self._width
        if y == 0:
            return self._head().adjust_cell_length(width, self.get_component_rich_style("lazy-table--head"))
        index = round(self.scroll_y) + y - 1
        if index >= self._count:
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        if index == self.cursor:
            base = base + self.get_component_rich_style("lazy-table--cursor")
        row = self.row_at(index)
        if row is None:
            self._ask(index // PAGE)
            return Strip([Segment("…", base)]).adjust_cell_length(width, base)
        return self._line(row, base).adjust_cell_length(width, base)

    def _head(self) -> Strip:
        style = self.get_component_rich_style("lazy-table--head")
        cells = [Segment("    ", style)] if self.markable else []
        for column, width in self._layout():
            arrow = (DESCENDING if self.descending else ASCENDING) if column.sort and column.sort == self.order else ""
            cells.append(Segment(_fit(column.title, width - cell_len(arrow), column.right) + arrow + " " * GAP, style))
        return Strip(cells)

    def _line(self, row: Row, base: Style) -> Strip:
        cells = [Segment("[x] " if row.key in self.marks else "[ ] ", base)] if self.markable else []
        by_column = dict(zip(self.columns, row.cells, strict=True))
        for column, width in self._layout():
            cell = by_column[column]
            match cell:
                case Drawn():
                    text, tone = cell.draw(width), cell.tone
                case str():
                    text, tone = cell, ""
                case _:
                    text, tone = cell
            style = base
            if tone:
                # The tone gives the colour of the letters; the cursor's background stays.
                colour = self.get_component_rich_style(f"lazy-table--{tone}", partial=True)
                style = base + Style(color=colour.color)
            cells.append(Segment(_fit(visible(text), width, column.right) + " " * GAP, style))
        return Strip(cells)


def _fit(text: str, width: int, right: bool) -> str:
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)
