"""A merge that is cancelled while it writes leaves no half model, neither on the disk nor in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input, Select

from screens.jobs.job import JobScreen
from screens.merge.merge import MergeScreen
from screens.merge.partners import PartnersScreen
from screens.models.catalog import CatalogScreen
from screens.widgets.lazy_table import LazyTable
from tests.screens.cancel.conftest import Desk, Story, leftovers

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("forked")]


def test_a_merge_is_cancelled_while_it_writes(
    at_desk: Callable[[Story], None], shelf: Callable[..., None], heavy: dict[str, Path], place: Path
) -> None:
    shelf(heavy["suspect"], heavy["partner"])
    output = place / "merged" / "out"

    async def story(desk: Desk) -> None:
        app, pilot = desk.app, desk.pilot
        catalog = await desk.opened(CatalogScreen)
        await desk.until(lambda: catalog.entry is not None)
        await pilot.press("end")
        await desk.until(lambda: catalog.entry.name == "suspect")
        await pilot.press("p")
        partners = await desk.opened(PartnersScreen)
        await desk.until(lambda: partners.query_one(LazyTable).row is not None)
        await pilot.press("m")
        form = await desk.opened(MergeScreen)
        form.query_one("#then", Select).value = "merge"
        form.query_one("#strategy", Select).value = "della"
        form.query_one("#output", Input).value = str(output)
        form.query_one("#base", Input).value = str(heavy["base"])
        await desk.until(lambda: "della" in form.command())
        await pilot.press("ctrl+s")
        first = (await desk.opened(JobScreen)).job

        await desk.happens(first, "progress", stage="merge")
        assert [name.startswith(".out.partial") for name in leftovers(output.parent)] == [True], "it writes"
        await desk.cancel(first)
        assert "no half model is left. g runs it again" in await desk.told()
        assert leftovers(output.parent) == []
        assert desk.read(lambda c: [entry.name for entry in c.models.list()]) == ["partner", "suspect"]
        assert desk.read(lambda c: c.audits.merges()) == []
        await pilot.press("enter")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.why_not("open") == "It left no result."

        second = await desk.again(first)
        await desk.happens(second, "progress", stage="merge")
        await desk.cancel(second)
        assert leftovers(output.parent) == []

    at_desk(story)
