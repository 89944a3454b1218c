"""The whole audit by keys, on small models that are really trained, scanned and merged."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input, Select

from screens.app import AuditorApp
from screens.audit.compare import CompareScreen
from screens.audit.drill import DrillScreen
from screens.audit.residual import LeftScreen
from screens.jobs.job import JobScreen
from screens.jobs.job_list import JobListScreen
from screens.jobs.quit import QuitDialog
from screens.merge.merge import MergeScreen
from screens.merge.partners import PartnersScreen
from screens.models.add import AddDialog
from screens.models.catalog import CatalogScreen
from screens.models.welcome import Welcome
from screens.reports.export import ExportDialog
from screens.scan.result import ResultScreen
from screens.scan.scan import ScanScreen
from screens.scan.score_table import ScoreTable
from screens.widgets.lazy_table import LazyTable

Make = Callable[[], AuditorApp]
Play = Callable[[Coroutine[Any, Any, None]], None]
Wait = Callable[..., Coroutine[Any, Any, None]]


def fill(pilot: Pilot[None], **values: str) -> None:
    """Types into the fields of the screen."""
    for key, value in values.items():
        pilot.app.screen.query_one(f"#{key}", Input).value = value


async def choose(pilot: Pilot[None], wait: Wait, name: str) -> None:
    """Puts the catalog's cursor on a model."""
    table = pilot.app.screen.query_one(LazyTable)
    await wait(pilot, lambda: table.row is not None)
    await pilot.press("home")
    for _ in range(table.count):
        await pilot.pause()
        if table.row is not None and table.row.cells[0] == name:
            return
        await pilot.press("down")
    raise AssertionError(f"{name} is not in the catalog's table")


def at(pilot: Pilot[None], kind: type) -> Callable[[], bool]:
    return lambda: isinstance(pilot.app.screen, kind)


def test_the_whole_audit(make_app: Make, play: Play, wait: Wait, zoo: Any, place: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(place)

    async def story() -> None:
        app = make_app()
        async with app.run_test(size=(100, 30)) as pilot:
            # An empty catalog greets; two models are added.
            await wait(pilot, lambda: app.screen.has_class("-empty"))
            assert app.screen.query_one(Welcome).display
            for model in (zoo.planted, zoo.benign):
                await pilot.press("a")
                await wait(pilot, at(pilot, AddDialog))
                fill(pilot, path=str(model))
                await pilot.press("enter")
                await wait(pilot, at(pilot, CatalogScreen))
            table = app.screen.query_one(LazyTable)
            await wait(pilot, lambda: not app.running and table.count == 2)

            # A scan on labelled rows finds the backdoor and shows its evidence.
            await choose(pilot, wait, "planted")
            await pilot.press("s")
            await wait(pilot, at(pilot, ScanScreen))
            fill(pilot, data=str(zoo.data), samples="x")
            await pilot.press("ctrl+s")
            await pilot.pause()
            assert isinstance(app.screen, ScanScreen), "a wrong number of samples must not start a scan"
            fill(pilot, samples="240")
            await pilot.press("ctrl+s")
            await wait(pilot, at(pilot, JobScreen))
            await wait(pilot, lambda: app.screen.query_one(ScoreTable).count > 0)
            await wait(pilot, lambda: not app.running)
            await wait(pilot, lambda: isinstance(app.screen, JobScreen) and app.screen.scan is not None)
            await pilot.press("enter")
            await wait(pilot, lambda: isinstance(app.screen, ResultScreen) and app.screen.scan is not None)
            await pilot.pause()
            words = str(app.screen.query_one("#words").render())
            assert "⟦" in words
            assert "critical" in words
            await pilot.press("escape", "escape")

            # A partner is marked; the whole audit runs with it.
            await wait(pilot, at(pilot, CatalogScreen))
            await choose(pilot, wait, "planted")
            await pilot.press("p")
            await wait(
                pilot, lambda: isinstance(app.screen, PartnersScreen) and app.screen.query_one(LazyTable).count == 1
            )
            await pilot.press("space", "m")
            await wait(pilot, at(pilot, MergeScreen))
            merge = app.screen
            assert isinstance(merge, MergeScreen)
            await wait(pilot, lambda: "--data" in (merge.command() or ()))
            merge.query_one("#weight-0", Input).value = "0.1"
            await pilot.press("ctrl+s")
            await wait(pilot, at(pilot, JobScreen))
            await wait(pilot, lambda: not app.running, 240)
            ended = app.screen
            assert isinstance(ended, JobScreen)
            await wait(pilot, lambda: ended.progress.audit is not None)
            await pilot.press("enter")

            # The comparison has a stamp and paired changes; a line leads to the rows that changed.
            await wait(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.audit is not None)
            compare = app.screen
            assert isinstance(compare, CompareScreen)
            audit = compare.audit
            assert audit is not None
            await wait(pilot, lambda: compare.query_one(LazyTable).count > 2)
            await pilot.press("down", "enter")
            await wait(pilot, at(pilot, DrillScreen))
            await wait(pilot, lambda: "answered otherwise now" in str(app.screen.query_one("#words").render()))
            await pilot.press("escape")

            # What is left of what was found is listed, also with a line that leads to its rows.
            await wait(pilot, at(pilot, CompareScreen))
            await pilot.press("l")
            await wait(pilot, at(pilot, LeftScreen))
            await wait(pilot, lambda: app.screen.query_one(LazyTable).count == len(audit.left) > 0)
            await pilot.press("enter")
            await wait(pilot, at(pilot, DrillScreen))
            await pilot.press("escape", "escape")
            await wait(pilot, at(pilot, CompareScreen))

            # The report is exported.
            await pilot.press("e")
            await wait(pilot, at(pilot, ExportDialog))
            app.screen.query_one("#format", Select).value = "json"
            await pilot.pause()
            app.screen.query_one("#go", Button).press()
            await wait(pilot, lambda: not app.screen.query_one("#open", Button).disabled)
            (report,) = place.glob("auditor-*.json")
            found = json.loads(report.read_text())
            assert found["schema"] == "auditor/audit/1"
            assert found["stamp"] == str(audit.stamp)

    play(story())


def test_a_job_outlives_the_application_and_is_cancelled_by_the_next_one(
    make_app: Make, play: Play, wait: Wait, zoo: Any
) -> None:
    async def first() -> None:
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await wait(pilot, lambda: app.library.ready)
            await app.start(("scan", str(zoo.planted), "--suite", "full"), "planted")
            await pilot.press("q")
            await wait(pilot, at(pilot, QuitDialog))
            await pilot.press("l")

    async def second() -> None:
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await wait(pilot, lambda: len(app.running) == 1)
            (job,) = app.running.values()
            await pilot.press("j")
            await wait(pilot, lambda: isinstance(app.screen, JobListScreen) and app.screen.job is not None)
            await pilot.press("enter")
            await wait(pilot, lambda: isinstance(app.screen, JobScreen) and app.screen.progress.batches > 0)
            await wait(pilot, lambda: isinstance(app.screen, JobScreen) and app.screen.progress.done > 0)
            await pilot.press("x")
            await wait(pilot, lambda: not app.running)
            stored = await app.library.use(lambda catalog: catalog.jobs.get(job.id))
            assert stored is not None
            assert stored.exit_code == 130
            # What is started again goes on from what is stored, and ends.
            await wait(pilot, lambda: isinstance(app.screen, JobScreen) and not app.screen.running)
            await pilot.press("g")
            await wait(pilot, lambda: isinstance(app.screen, JobScreen) and app.screen.job.id != job.id)
            again = app.screen
            assert isinstance(again, JobScreen)
            await wait(pilot, lambda: again.progress.resumed > 0)
            await pilot.press("x")
            await wait(pilot, lambda: not app.running)

    play(first())
    play(second())
