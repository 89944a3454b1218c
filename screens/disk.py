"""What the disk has left."""

from __future__ import annotations

import shutil
from pathlib import Path


def free_space(path: Path) -> int | None:
    """Bytes that are free where a path lies or would lie; None where that cannot be told."""
    place = path.expanduser().absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None
