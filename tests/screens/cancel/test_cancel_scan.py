"""A scan that is cancelled: what was answered is kept, and the next one goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select

from screens.jobs.job import JobScreen
from screens.jobs.job_list import JobListScreen
from screens.jobs.meter import Meter
from screens.scan.scan import ScanScreen
from screens.widgets.lazy_table import LazyTable
from tests.screens.cancel.conftest import Desk, Story, events

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("forked")]


def test_a_scan_is_cancelled_while_it_answers_and_goes_on(
    at_desk: Callable[[Story], None], shelf: Callable[..., None], zoo: Any, large: Path
) -> None:
    shelf(zoo.planted)

    async def story(desk: Desk) -> None:
        app, pilot = desk.app, desk.pilot
        await desk.until(lambda: app.screen.query_one(LazyTable).row is not None)
        await pilot.press("s")
        form = await desk.opened(ScanScreen)
        form.query_one("#data", Input).value = str(large)
        form.query_one("#samples", Input).value = "700"
        form.query_one("#suite", Select).value = "full"
        await pilot.press("ctrl+s")
        screen = await desk.opened(JobScreen)
        first = screen.job

        # While it runs: the evidence of the selected row, and the job's own device and memory.
        await desk.until(lambda: "⟦" in str(screen.query_one("#words").render()))
        words = str(screen.query_one("#words").render())
        assert "clean" in words
        assert "→" in words
        await desk.until(lambda: "memory" in str(screen.query_one(Meter).render()))
        assert "cpu float32" in str(screen.query_one(Meter).render())
        assert screen.running

        await desk.cancel(first)
        assert "g resumes from there" in await desk.told()
        kept = desk.batches()
        alone, opened = [event for event in events(first) if event["kind"] == "run-opened"]
        assert alone["batches"] < len(kept) < alone["batches"] + opened["batches"]
        assert desk.read(lambda catalog: catalog.scans.count()) == 0, "what is not judged is no scan"

        second = await desk.again(first)
        await desk.happens(second, "batch-answered")
        done, went_on = [event for event in events(second) if event["kind"] == "run-opened"]
        assert done["resumed"] == done["batches"], "what was tried alone is not tried again"
        resumed = len(kept) - alone["batches"]
        assert (went_on["resumed"], went_on["batches"]) == (resumed, opened["batches"])

        # The list of jobs cancels it as well; nothing that was stored is asked or changed again.
        await pilot.press("j")
        listed = await desk.opened(JobListScreen)
        await desk.until(lambda: listed.job is not None and listed.job.id == second.id)
        await desk.cancel(second)
        later = desk.batches()
        assert len(later) > len(kept)
        assert {place: later[place] for place in kept} == kept
        await desk.until(lambda: listed.job is not None and listed.job.exit_code == 130)
        assert listed.why_not("again") is None

    at_desk(story)
