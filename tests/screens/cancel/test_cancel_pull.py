"""A pull, cancelled in the middle of the weights: it ends at once, and nothing half fetched is taken for a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input

from screens.jobs.job import JobScreen
from screens.models.catalog import CatalogScreen
from screens.models.pull import PullDialog
from screens.widgets.lazy_table import LazyTable
from tests.hub import COMMIT, NAME, Server, serving
from tests.screens.cancel.conftest import Desk, Story

pytestmark = pytest.mark.timeout(900)

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(zoo: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A hub that sends half of the weights and then keeps its visitor waiting."""
    from huggingface_hub import constants

    files = {p.name: p.read_bytes() for p in zoo.planted.iterdir() if p.is_file()}
    with serving(Server(files, held=WEIGHTS)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_HOME", str(place / "hub"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        # The library reads the environment when it is imported: here that was before this test.
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


def test_a_pull_is_cancelled_in_the_middle_of_the_weights(
    at_desk: Callable[[Story], None], hub: Server, place: Path
) -> None:
    async def story(desk: Desk) -> None:
        app, pilot = desk.app, desk.pilot
        await desk.until(lambda: app.screen.has_class("-empty"))
        await pilot.press("u")
        dialog = await desk.opened(PullDialog)
        dialog.query_one("#name", Input).value = NAME
        await pilot.press("enter")
        await desk.until(lambda: not dialog.query_one("#go", Button).disabled)
        await pilot.press("enter")
        first = (await desk.opened(JobScreen)).job
        await desk.happens(first, "stage", name="fetch")
        await desk.until(lambda: partial(place))
        await desk.cancel(first)
        assert "no half model is listed. g runs it again" in await desk.told()
        assert partial(place) == []
        assert not list(place.glob(f"hub/**/snapshots/{COMMIT}/{WEIGHTS}"))
        assert desk.read(lambda catalog: catalog.models.count()) == 0

        hub.release.set()
        second = await desk.again(first)
        await desk.until(lambda: second.id not in app.running)
        assert desk.read(lambda catalog: catalog.jobs.get(second.id)).exit_code == 0
        asked = [path for path in hub.asked if path.endswith("/config.json")]
        assert len(asked) == 2, "what came whole is not fetched again"
        await pilot.press("escape")
        catalog = await desk.opened(CatalogScreen)
        await desk.until(lambda: catalog.query_one(LazyTable).row is not None)
        assert catalog.query_one(LazyTable).row.cells[0] == NAME

    at_desk(story)


def partial(place: Path) -> list[Path]:
    """Files that are being fetched."""
    return list(place.glob("hub/**/*.incomplete"))
