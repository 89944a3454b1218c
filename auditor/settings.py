"""Where the program keeps its things, and what the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

JOB = "AUDITOR_JOB"
"""Set in the environment of a command that was started as a job."""


@dataclass(frozen=True)
class Settings:
    """What every command shares.

    Attributes:
        catalog: URL of the catalog; a plain path means SQLite.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: `float32`, `bfloat16`, `float16`, or None for the device's own.
        seed: of all random choices.
        threads: that a merge uses.
    """

    catalog: str
    device: str = "auto"
    dtype: str | None = None
    seed: int = 0
    threads: int = 2


def data_directory() -> Path:
    """The user's data directory of this program."""
    import platformdirs

    return Path(platformdirs.user_data_dir("auditor", appauthor=False))


def user_path(text: str) -> Path:
    """A path as the user writes it: `~` is the home directory, and `~name` that of a user where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def catalog_url(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The catalog's URL: as given, else `AUDITOR_CATALOG`, else SQLite in the user's data directory."""
    text = given or environ.get("AUDITOR_CATALOG") or str(data_directory() / "catalog.db")
    if "://" in text:
        return text
    # In a URL the one begins an escape, the other the options.
    path = str(user_path(text).absolute()).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{path}"


def statistics_cache() -> Path:
    """Where measurements of models are kept."""
    return data_directory() / "statistics"
