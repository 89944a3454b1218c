"""How a command names a catalogued model, so that it can mean nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.records import CatalogEntry


def name_for(entry: CatalogEntry) -> str:
    """Its name; its id or digest where a command would take the name for an option, a prefix or a path that is here."""
    return next((text for text in (entry.name, str(entry.id)) if _plain(text)), entry.profile.ref.digest[:16])


def _plain(text: str) -> bool:
    if text.startswith(("-", ".", "~", "/", "hub:", "path:")) or text != text.strip():
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):
        return False
