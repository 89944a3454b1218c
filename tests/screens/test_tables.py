"""The table that asks for what it shows, and what one can do in it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from textual.app import App, ComposeResult

from screens.audit.pairing import join, row_of
from screens.gallery.seed import PROBES, _score
from screens.scan.scores import of_record, rows
from screens.widgets.lazy_table import PAGE, Column, LazyTable, Row

Play = Callable[[Coroutine[Any, Any, None]], None]
COLUMNS = (Column("name", 8, grows=True, sort="name"), Column("figure", 8, 1, right=True), Column("tags", 12, 2))


class Host(App[None]):
    """Nothing but a table."""

    def __init__(self, **kinds: Any) -> None:
        super().__init__()
        self.table = LazyTable(COLUMNS, **kinds)
        self.asked: list[int] = []
        self.sorts: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"dim": "#888888"}

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    async def page(self, offset: int, limit: int) -> Sequence[Row]:
        self.asked.append(offset)
        return [Row(str(i), (f"row {i}", str(i), "")) for i in range(offset, offset + limit)]

    def on_lazy_table_sort_wanted(self, event: LazyTable.SortWanted) -> None:
        self.sorts.append(event.order)

    def line(self, number: int) -> str:
        return self.table.render_line(number).text


def test_a_scroll_bar_hides_no_column(play: Play) -> None:
    async def story() -> None:
        app = Host()
        async with app.run_test(size=(60, 20)) as pilot:
            await pilot.pause()
            for count, width in ((5, 60), (500, 59)):
                app.table.show_rows([Row(str(i), (f"row {i}", "7.5", "")) for i in range(count)])
                await pilot.pause()
                for line in (app.line(0), app.line(1)):
                    assert len(line) == app.table.scrollable_content_region.width == width
                assert app.line(1).index("7.5") == app.line(0).index("figure") + len("figure") - len("7.5")
                assert app.line(0).index("tags") + 12 <= width

    play(story())


def test_a_hundred_thousand_rows_cost_the_pages_that_are_seen(play: Play) -> None:
    async def story() -> None:
        app = Host()
        async with app.run_test(size=(60, 20)) as pilot:
            app.table.show_pages(100_000, app.page)
            await pilot.pause(0.1)
            assert app.asked == [0]
            await pilot.press("end")
            await pilot.pause(0.1)
            assert app.table.row is not None
            assert app.table.row.key == "99999"
            await pilot.press("home", "pagedown")
            await pilot.pause(0.1)
            assert set(app.asked) == {0, 100_000 - PAGE}

    play(story())


def test_columns_go_where_there_is_no_room(play: Play) -> None:
    async def story() -> None:
        app = Host()
        async with app.run_test(size=(60, 10)) as pilot:
            app.table.show_rows([Row("a", ("first", "12", "tag"))])
            assert app.line(0).split() == ["name", "figure", "tags"]
            await pilot.resize_terminal(24, 10)
            await pilot.pause()
            assert app.line(0).split() == ["name", "figure"]
            await pilot.resize_terminal(9, 10)
            await pilot.pause()
            assert app.line(0).split() == ["name"]

    play(story())


def test_untrusted_text_is_neither_markup_nor_control(play: Play) -> None:
    async def story() -> None:
        app = Host()
        async with app.run_test(size=(80, 10)):
            app.table.show_rows([Row("a", ("[red]x[/] \x1b[31m\u202e", "[", "\n"))])
            assert r"[red]x[/] \x1b[31m\u202e" in app.line(1)

    play(story())


def test_the_cursor_stays_on_its_row_when_rows_move(play: Play) -> None:
    async def story() -> None:
        app = Host()
        async with app.run_test(size=(60, 10)) as pilot:
            first = [Row(key, (key, "", "")) for key in "abcd"]
            app.table.show_rows(first)
            await pilot.press("down", "down")
            app.table.show_rows(first[::-1])
            assert app.table.row is not None
            assert app.table.row.key == "c"

    play(story())


def test_marks_and_clicks(play: Play) -> None:
    async def story() -> None:
        app = Host(markable=True)
        async with app.run_test(size=(60, 10)) as pilot:
            app.table.show_rows([Row(key, (key, "", "")) for key in "abc"])
            await pilot.press("space", "down", "space")
            assert app.table.marks == {"a", "b"}
            assert app.line(1).startswith("[x] a")
            await pilot.click(LazyTable, offset=(8, 3))
            assert app.table.row is not None
            assert app.table.row.key == "c"
            await pilot.click(LazyTable, offset=(6, 0))
            await pilot.pause()
            assert app.sorts == ["name"]

    play(story())


def test_scores_say_their_verdict_in_words_findings_first() -> None:
    quiet, loud = _score(PROBES[0], "negative", 20, finding=False), _score(PROBES[1], "negative", 190, finding=True)
    shown = rows([of_record(quiet), of_record(loud)])
    assert [row.cells[-1] for row in shown] == [("✖ backdoor", "bad"), ("○ nothing", "good")]
    assert shown[0].cells[2] == "190/200"


def test_a_measure_of_one_side_alone_is_shown_without_a_change() -> None:
    from store.records import Scan

    class Half:
        class scores:  # noqa: N801
            asr = (_score(PROBES[0], "negative", 20, finding=False),)

        class settings:  # noqa: N801
            asking = None

    one: Scan = Half  # type: ignore[assignment]
    (pair,) = join(one, None, {})
    assert row_of(pair).cells[5] == "–"
