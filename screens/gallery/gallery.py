"""Every screen, opened over the seeded catalog by pressing its keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.jobs.progress import JobProgress
from screens.app import AuditorApp
from screens.gallery.seed import AUDIT, NOW, SEARCHED, SUSPECT_SCAN, fill
from screens.gallery.seed_writers import BENCHMARKS, WRITER_AUDIT, WRITER_SCAN, fill_writers
from screens.library import Library
from screens.messages import Open, OpenBenchmarks, OpenComparison, OpenResult, OpenSearch

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from store.catalog import Catalog

HOME = Path("/home/me/auditor")
"""What the seeded application takes for the user's directory: nothing is written there."""

FREE, MEMORY = 64 * 2**30, 441 * 2**20
"""Figures of the machine that stand still too, in bytes."""

QUIET = 3
"""Rounds without work after which a screen is taken to be finished."""

Scene = Callable[["Pilot[None]"], Awaitable[None]]


Fill = Callable[["Catalog", Path], None]


def fill_nothing(catalog: Catalog, files: Path) -> None:
    """Leaves a catalog empty."""


def seeded_app(place: Path, *, fills: Fill = fill) -> AuditorApp:
    """The application over the seeded catalog in a directory; with a clock that stands still.

    A catalog that is there already is taken as it is.

    Args:
        fills: what the catalog is filled with.
    """
    from store.engine import open_catalog

    url = f"sqlite:///{place / 'catalog.db'}"
    if not (place / "catalog.db").exists():
        with open_catalog(url) as catalog:
            fills(catalog, place / "jobs")
    app = AuditorApp(config=place / "config", home=HOME, clock=lambda: NOW, library=Library(url))
    app.follows_jobs = False
    app.rest = 0.0
    app.free_space = lambda _: FREE
    app.runner.memory = lambda _: MEMORY
    return app


async def settle(pilot: Pilot[None]) -> None:
    """Looks at the jobs once, and waits until nothing is read any more: what is read may lead to more to read."""
    app = pilot.app
    if isinstance(app, AuditorApp):
        await app.look_at_jobs()
    quiet = 0
    while quiet < QUIET:
        await pilot.pause()
        busy = [worker for worker in app.workers if not worker.is_finished]
        quiet = 0 if busy else quiet + 1
        if busy:
            await app.workers.wait_for_complete(busy)


def keys(*pressed: str) -> Scene:
    """A scene that is reached by keys; moves follow each other at once, other keys wait for what the last one did."""

    async def scene(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for moves, group in groupby(pressed, key=MOVES.__contains__):
            if moves:
                await pilot.press(*group)
                await settle(pilot)
                continue
            for key in group:
                await pilot.press(key)
                await settle(pilot)

    return scene


async def _show(pilot: Pilot[None], message: Open) -> None:
    await settle(pilot)
    pilot.app.post_message(message)
    await settle(pilot)


async def _result(pilot: Pilot[None]) -> None:
    await _show(pilot, OpenResult(SUSPECT_SCAN))


async def _compare(pilot: Pilot[None]) -> None:
    await _show(pilot, OpenComparison(audit=AUDIT))


async def _search(pilot: Pilot[None]) -> None:
    await settle(pilot)
    app = pilot.app
    if isinstance(app, AuditorApp):
        jobs = await app.library.use(lambda catalog: catalog.jobs.list())
        ended = next(job for job in jobs if job.command[0] == "merge")
        job = replace(ended, command=("audit", "reviews-minilm", "--search", "--with", "sst2-honest", "yelp-honest"))
        progress = JobProgress()
        progress.take_all(SEARCHED, 0.0)
        await _show(pilot, OpenSearch(job, progress))


async def _plot(pilot: Pilot[None]) -> None:
    await _compare(pilot)
    await pilot.press("v")
    await settle(pilot)


async def _left(pilot: Pilot[None]) -> None:
    await _compare(pilot)
    await pilot.press("l")
    await settle(pilot)


MOVES = frozenset({"home", "down", "up", "space"})
SUSPECT = ("home", "down", "down")
"""From the top of the catalog to the suspect."""

SCENES: dict[str, Scene] = {
    "catalog": keys(*SUSPECT),
    "model": keys(*SUSPECT, "enter"),
    "scan": keys(*SUSPECT, "s"),
    "live": keys("j", "enter"),
    "result": _result,
    "partners": keys(*SUSPECT, "p", "space", "down", "space"),
    "merge": keys(*SUSPECT, "p", "space", "down", "space", "m"),
    "students": keys(*SUSPECT, "p", "n"),
    "compare": _compare,
    "plot": _plot,
    "left": _left,
    "search": _search,
    "reports": keys("r"),
    "jobs": keys("j"),
    "settings": keys("comma"),
    "help": keys(*SUSPECT, "question_mark"),
    "add": keys("a"),
    "pull": keys("u"),
    "remove": keys(*SUSPECT, "d"),
    "export": keys("r", "e"),
}
EMPTY_SCENES: dict[str, Scene] = {"welcome": keys()}


async def _writer_result(pilot: Pilot[None]) -> None:
    await _show(pilot, OpenResult(WRITER_SCAN))


async def _writer_compare(pilot: Pilot[None]) -> None:
    await _show(pilot, OpenComparison(audit=WRITER_AUDIT))


async def _benchmarks(pilot: Pilot[None]) -> None:
    await settle(pilot)
    app = pilot.app
    if isinstance(app, AuditorApp):
        audit = await app.library.use(lambda catalog: catalog.audits.get(WRITER_AUDIT))
        if audit is not None and audit.after is not None:
            await _show(pilot, OpenBenchmarks(audit.before, audit.after, BENCHMARKS, audit.id))


WRITER_SCENES: dict[str, Scene] = {
    "writer-catalog": keys("home"),
    "writer-model": keys("home", "enter"),
    "writer-scan": keys("home", "s"),
    "writer-live": keys("j", "enter", "down", "down"),
    "writer-result": _writer_result,
    "writer-compare": _writer_compare,
    "benchmarks": _benchmarks,
}
ALL_SCENES: tuple[tuple[Fill, dict[str, Scene]], ...] = (
    (fill_nothing, EMPTY_SCENES),
    (fill, SCENES),
    (fill_writers, WRITER_SCENES),
)
"""Scenes by what the catalog is filled with."""
