"""Follows a file that another process writes: whole new lines, as far as they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
"""Bytes that are read at a time: a poll stays short whatever was written."""
LOG_BYTES = 16_384


class Tail:
    """The JSON lines of an event file, each once. Lines that are no JSON object are left out: a crash may cut one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> list[dict[str, Any]]:
        """What was written since the last call; nothing where there is no file. One made anew is read whole."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._offset, self._rest = 0, b""
                file.seek(self._offset)
                data = file.read(CHUNK)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for text in lines if (event := _parsed(text)) is not None]

    def read_all(self) -> list[dict[str, Any]]:
        """Everything up to the end of the file."""
        events: list[dict[str, Any]] = []
        before = -1
        while before != self._offset:
            before = self._offset
            events += self.read()
        return events


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def last_lines(path: Path, limit: int = 200) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-limit:])
