"""What the user chose in the settings: kept in a small file, read when the application opens."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE = "terminal.json"


@dataclass(frozen=True, slots=True)
class Preferences:
    """Theme, and what every command is given: catalog, device, policy file. Empty means the program's own choice."""

    theme: str = "auditor"
    catalog: str = ""
    device: str = "auto"
    policy: str = ""


def directory() -> Path:
    """The user's configuration directory of this program."""
    import platformdirs

    return Path(platformdirs.user_config_dir("auditor", appauthor=False))


def load(place: Path) -> Preferences:
    """The stored choices; the defaults where there are none, or the file cannot be read."""
    try:
        found = json.loads((place / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    if not isinstance(found, dict):
        return Preferences()
    known = {f.name: found[f.name] for f in fields(Preferences) if isinstance(found.get(f.name), str)}
    return Preferences(**known)


def save(place: Path, chosen: Preferences) -> None:
    """Keeps the choices, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    partial = place / f".{FILE}.{os.getpid()}"
    partial.write_text(json.dumps(asdict(chosen), indent=2) + "\n", encoding="utf-8")
    partial.replace(place / FILE)
