"""Work of a screen that must not hold it up."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode
from textual.worker import WorkType


def in_background(node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str = "default") -> None:
    """Runs work beside the screen; what was begun in the same group before is given up."""
    node.run_worker(cast("WorkType[None]", work), exclusive=True, group=group)
