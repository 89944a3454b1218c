"""What the disk has, and has left. Whatever is typed for a path, nothing here fails."""

from __future__ import annotations

import shutil
from pathlib import Path

from auditor.settings import user_path


def free_space(path: Path) -> int | None:
    """Bytes that are free where a path lies or would lie; None where that cannot be told."""
    try:
        place = user_path(str(path)).absolute()
        while not exists(place) and place != place.parent:
            place = place.parent
        return shutil.disk_usage(place).free
    except OSError:
        return None


def exists(path: Path) -> bool:
    """Whether there is a file or a directory; False where that cannot be told, as for a name that is too long."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file; False where that cannot be told."""
    return exists(path) and path.is_file()
