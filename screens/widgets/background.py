"""Work of a screen that must not hold it up."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.css.query import NoMatches
from textual.screen import Screen
from textual.worker import WorkType


def in_background(screen: Screen[Any], work: Callable[[], Coroutine[Any, Any, None]], group: str = "default") -> None:
    """Runs work beside the screen; what was begun in the same group before is given up.

    A screen may be left, or the application closed, while the work waits for the catalog: then its end is of no use.
    """

    async def careful() -> None:
        try:
            await work()
        except NoMatches:
            if screen.app.is_running and screen in screen.app.screen_stack:
                raise

    screen.run_worker(cast("WorkType[None]", careful), exclusive=True, group=group)
