"""Writes an SVG of every screen, drawn from the seeded catalog."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from screens.gallery.gallery import ALL_SCENES, Fill, Scene, seeded_app

SIZE = (120, 36)


def take(directory: Path, *, size: tuple[int, int] = SIZE) -> Iterator[Path]:
    """Draws each screen and yields its file.

    Args:
        directory: where the files go; it exists.
        size: columns and rows.
    """
    for fills, scenes in ALL_SCENES:
        for name, scene in scenes.items():
            path = directory / f"{name}.svg"
            path.write_text(asyncio.run(_draw(scene, size, fills)), encoding="utf-8")
            yield path


async def _draw(scene: Scene, size: tuple[int, int], fills: Fill) -> str:
    with tempfile.TemporaryDirectory() as place:
        app = seeded_app(Path(place), fills=fills)
        async with app.run_test(size=size) as pilot:
            await scene(pilot)
            return app.export_screenshot(title="auditor")
