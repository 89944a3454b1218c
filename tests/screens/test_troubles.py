"""What goes wrong: crashes, locks, models that vanish, terminals that shrink. The screen stays and says so."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from auditor.commands.tui import open_application
from auditor.errors import ExitCode
from screens.app import AuditorApp
from screens.disk import free_space
from screens.gallery.gallery import SCENES, settle
from screens.jobs.job import JobScreen
from screens.jobs.job_list import JobListScreen
from screens.library import Library
from screens.merge.partners import PartnersScreen
from screens.messages import CatalogChanged, OpenJob, OpenJobs
from screens.models.catalog import CatalogScreen
from screens.models.model import ModelScreen
from screens.models.remove import RemoveDialog
from screens.widgets.key_bar import KeyBar
from screens.widgets.lazy_table import LazyTable
from store.engine import open_catalog

Make = Callable[[], AuditorApp]
Play = Callable[[Coroutine[Any, Any, None]], None]
Wait = Callable[..., Coroutine[Any, Any, None]]


def told(app: AuditorApp) -> str:
    """All that was notified."""
    return " ".join(f"{n.title} {n.message}" for n in app._notifications)


def words(app: AuditorApp, where: str) -> str:
    return str(app.screen.query_one(where, Static).render())


def test_a_job_that_crashes_leaves_the_screen_standing(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            job = await seeded.start(("scan", "reviews-minilm"), "reviews-minilm")
            assert job is not None
            os.kill(job.pid, signal.SIGSTOP)  # it waits until it is killed
            seeded.post_message(OpenJob(job))
            await settle(pilot)
            os.kill(job.pid, signal.SIGKILL)
            while job.id in seeded.running:
                await settle(pilot)
            assert isinstance(seeded.screen, JobScreen)
            assert "killed" in words(seeded, "#head")
            await pilot.press("enter")
            assert "no result" in told(seeded)

    play(story())


def test_a_page_that_is_asked_for_twice_opens_once(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            for _ in range(2):
                seeded.post_message(OpenJobs())
            await settle(pilot)
            assert [type(screen) for screen in seeded.screen_stack] == [CatalogScreen, JobListScreen]

    play(story())


def test_a_model_whose_files_are_gone(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            job = await seeded.start(("scan", "reviews-minilm"), "reviews-minilm")
            assert job is not None
            seeded.post_message(OpenJob(job))
            while job.id in seeded.running:
                await settle(pilot)
            await settle(pilot)
            assert "directory is gone" in words(seeded, "#words")

    play(story())


def test_a_model_that_is_removed_under_way(seeded: AuditorApp, play: Play, place: Path) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await SCENES["model"](pilot)
            assert isinstance(seeded.screen, ModelScreen)
            with open_catalog(seeded.library.url) as other:
                other.models.remove(seeded.screen.entry.id)
            seeded.screen.on_catalog_changed(CatalogChanged())
            await settle(pilot)
            assert "no longer" in words(seeded, "#facts")
            await pilot.press("escape")
            await settle(pilot)
            assert isinstance(seeded.screen, CatalogScreen)
            assert seeded.screen.query_one(LazyTable).count == 5

    play(story())


def test_a_locked_catalog_is_said_and_nothing_is_left_running(seeded: AuditorApp, play: Play, place: Path) -> None:
    async def story() -> None:
        seeded.library = Library(seeded.library.url, patience=0.2)
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            lock = sqlite3.connect(place / "catalog.db", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            try:
                assert await seeded.start(("models", "list")) is None
            finally:
                lock.execute("ROLLBACK")
                lock.close()
            await pilot.pause()
            assert "locked" in told(seeded) or "busy" in told(seeded)
            assert await seeded.start(("models", "list")) is not None

    play(story())


def test_a_damaged_catalog_is_said_with_what_to_do(place: Path, make_app: Make, play: Play) -> None:
    async def story() -> None:
        (place / "catalog.db").write_bytes(b"SQLite format 3\x00" + b"\x07" * 5000)
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert app.screen.has_class("-trouble")
            assert "Settings" in words(app, "#trouble")
            await pilot.press("s", "r", "j", "d", "o")
            await pilot.pause()
            assert isinstance(app.screen, CatalogScreen)

    play(story())


@pytest.mark.parametrize(("scene", "field"), [("merge", "#output"), ("export", "#file"), ("settings", "#policy")])
def test_no_path_that_is_typed_breaks_a_form(scene: str, field: str, seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await SCENES[scene](pilot)
            shown = seeded.screen
            for typed in ("~nobody-here/x", "a" * 300, "a/" * 3000):
                assert free_space(Path(typed)) != 0
                shown.query_one(field, Input).value = typed
                await pilot.pause()
                if scene == "settings":
                    shown.query_one("#keep", Button).press()
                    await pilot.pause()
                assert seeded.screen is shown
                assert seeded.is_running

    play(story())


def test_an_application_that_crashed_ends_as_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual ends with 1, which means "finding"."""

    class Crashed(AuditorApp):
        def run(self, *_: Any, **__: Any) -> None:
            self._return_code = 1

    monkeypatch.setattr("screens.app.AuditorApp", Crashed)
    assert open_application("sqlite://") == ExitCode.BUG


@pytest.mark.parametrize(
    "name", ["catalog", "scan", "live", "result", "merge", "plot", "left", "search", "reports", "export"]
)
def test_no_size_breaks_a_screen(name: str, seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(40, 12)) as pilot:
            await SCENES[name](pilot)
            shown = seeded.screen
            for columns, rows in ((200, 60), (20, 6), (80, 24)):
                await pilot.resize_terminal(columns, rows)
                await pilot.pause()
                assert seeded.screen is shown
                inside = shown.region
                assert (inside.width, inside.height) == (columns, rows)
                for bar in shown.query(KeyBar):
                    assert bar.region.height >= 1, "the keys are on the screen at every size"
                    assert inside.contains_region(bar.region)

    play(story())


def test_a_key_that_cannot_be_used_says_why(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press("home", "down")
            await settle(pilot)
            await pilot.press("p")
            await settle(pilot)
            await pilot.press("n")
            await pilot.pause()
            assert "no text classifier" in told(seeded)
            assert isinstance(seeded.screen, PartnersScreen)

    play(story())


def test_filter_order_and_removal(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            table = seeded.screen.query_one(LazyTable)
            await pilot.press("slash", *"minilm")
            await settle(pilot)
            assert table.count == 2
            await pilot.press("enter", "o")
            await settle(pilot)
            first = table.row_at(0)
            assert first is not None
            assert first.cells[0] == "reviews-minilm"
            await pilot.press("slash", "escape")
            await settle(pilot)
            assert table.count == 6
            await pilot.press("home")
            await settle(pilot)
            await pilot.press("d")
            await settle(pilot)
            assert isinstance(seeded.screen, RemoveDialog)
            seeded.screen.query_one("#forget", Button).press()
            while len(seeded.running) < 2:
                await settle(pilot)
            while len(seeded.running) > 1:
                await settle(pilot)
            await settle(pilot)
            assert table.count == 5

    play(story())


def test_the_clipboard_gets_the_command(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await SCENES["result"](pilot)
            await pilot.press("y")
            assert seeded.clipboard == "auditor report 5ca1ab1e0001"

    play(story())
