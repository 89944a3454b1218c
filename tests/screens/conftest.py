"""The application over a catalog of its own, and ways to wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.app import AuditorApp
from screens.gallery.gallery import seeded_app

Waits = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that the application takes for the user's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("AUDITOR_CATALOG", raising=False)
    return tmp_path


@pytest.fixture
def make_app(place: Path) -> Callable[[], AuditorApp]:
    """Makes the application; a second one opens the same catalog, as after a restart."""

    def make() -> AuditorApp:
        return AuditorApp(str(place / "catalog.db"), config=place / "config", home=place / "home")

    return make


@pytest.fixture
def seeded(place: Path) -> AuditorApp:
    """Over the seeded catalog, with jobs that are really started."""
    app = seeded_app(place)
    app.jobs_directory = app.runner.directory = place / "started"
    return app


async def until(pilot: Pilot[None], what: Callable[[], object], seconds: float = 60) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain on {pilot.app.screen!r}")
        await pilot.pause(0.05)


@pytest.fixture
def wait() -> Waits:
    return until


@pytest.fixture
def play() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a test's story."""
    return lambda story: asyncio.run(story)
