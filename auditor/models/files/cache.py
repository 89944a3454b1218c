"""The hub's cache as folders: what a snapshot's repository holds besides, and where below a folder models lie.

The cache of huggingface_hub keeps a repository as `models--org--name/`, with `snapshots/<commit>/` and, by branch,
`refs/<name>` that hold a commit.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from probes.reading import read_bytes

REPOSITORY = "models--"
SNAPSHOTS = "snapshots"
CONFIGS = ("config.json", "adapter_config.json")
MOST_ENTRIES = 2_000
"""So many entries of a folder are looked at: a message needs no more."""


def listed(directory: Path) -> tuple[str, ...]:
    """All files of the repository that a snapshot in the cache is of, fetched or not, as far as a fetch noted them.

    Empty for any other directory.
    """
    repository, snapshots = directory.parent.parent, directory.parent
    if snapshots.name != SNAPSHOTS or not repository.name.startswith(REPOSITORY):
        return ()
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, HFValidationError

    name = repository.name.removeprefix(REPOSITORY).replace("--", "/")
    try:
        tree = get_cached_repo_tree(name, revision=directory.name, cache_dir=repository.parent)
    except (CachedRepoTreeNotFoundError, HFValidationError, OSError, ValueError):
        return ()
    return tuple(file.path for file in tree)


def models_below(path: Path) -> list[Path]:
    """Directories with a model's config just below a folder, or in the snapshots of the hub's cache; sorted.

    Of a repository in the cache that is the commit of its main branch, where the cache knows it.
    """
    if _is_repository(path):
        return _snapshots(path)
    found: list[Path] = []
    for folder in _folders(path):
        if any((folder / name).is_file() for name in CONFIGS):
            found.append(folder)
        elif _is_repository(folder):
            found += _snapshots(folder)
    return found


def _is_repository(path: Path) -> bool:
    return path.name.startswith(REPOSITORY) and (path / SNAPSHOTS).is_dir()


def _snapshots(repository: Path) -> list[Path]:
    have = [p for p in _folders(repository / SNAPSHOTS) if any((p / name).is_file() for name in CONFIGS)]
    try:
        main = read_bytes(repository / "refs" / "main", 1_000).decode("utf-8").strip()
    except (OSError, ValueError):
        return have
    return [p for p in have if p.name == main] or have


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(p for p in islice(path.iterdir(), MOST_ENTRIES) if p.is_dir())
    except OSError:
        return []
