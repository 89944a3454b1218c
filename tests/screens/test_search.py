"""The recipes of a search: reached from the job that tried them, the front first, all on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.widgets import Static

from screens.app import AuditorApp
from screens.gallery.gallery import settle
from screens.gallery.seed import SEARCHED
from screens.jobs.job import JobScreen
from screens.merge.search import SearchScreen
from screens.messages import OpenJob
from screens.widgets.lazy_table import LazyTable

Play = Callable[[Coroutine[Any, Any, None]], None]


def test_a_job_that_searched_shows_its_front_and_then_every_recipe(
    seeded: AuditorApp, play: Play, tmp_path: Path
) -> None:
    async def story() -> None:
        log = tmp_path / "searched.jsonl"
        log.write_text("".join(json.dumps(event) + "\n" for event in SEARCHED), encoding="utf-8")
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            jobs = await seeded.library.use(lambda catalog: catalog.jobs.list())
            ended = next(job for job in jobs if job.command[0] == "merge")
            seeded.post_message(OpenJob(replace(ended, id="searched", command=("audit", "m"), events=str(log))))
            await settle(pilot)
            await pilot.press("f")
            await settle(pilot)
            screen = seeded.screen
            assert isinstance(screen, SearchScreen)
            assert "5 recipes tried, 2 on the Pareto front" in str(screen.query_one("#head", Static).render())
            table = screen.query_one(LazyTable)
            assert table.row is not None
            assert table.row.key == "4", "the smallest gap stands first"
            assert "feed-forward" in str(screen.query_one("#words", Static).render())
            await pilot.press("a")
            await settle(pilot)
            assert "all are shown" in str(screen.query_one("#head", Static).render())
            await pilot.press("end")
            assert table.row is not None
            assert table.row.key == "1"
            await pilot.press("escape")
            await settle(pilot)
            assert isinstance(seeded.screen, JobScreen)

    play(story())


def test_a_job_without_a_search_says_so(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            jobs = await seeded.library.use(lambda catalog: catalog.jobs.list())
            seeded.post_message(OpenJob(next(job for job in jobs if job.command[0] == "merge")))
            await settle(pilot)
            screen = seeded.screen
            assert isinstance(screen, JobScreen)
            assert "--search" in (screen.why_not("search") or "")
            await pilot.press("f")
            await settle(pilot)
            assert seeded.screen is screen

    play(story())
