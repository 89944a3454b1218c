"""The directory that appears whole or not at all: written beside its place under a hidden name, then renamed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import DiskError, UsageError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def staged(output: Path, need: int) -> Iterator[Path]:
    """A directory to write into; it becomes `output` when the block ends well, and is removed when it does not.

    Files and directories are flushed to the disk before the rename. Leftovers of killed merges to the same place are
    removed first. `need` is the number of bytes that will be written.

    Raises:
        UsageError: `output` is there already, or its parent is not a directory that can be written.
        DiskError: there is not enough room, or a write failed.
    """
    output = Path(os.path.abspath(output))  # noqa: PTH100 - resolve() would follow a link in the place of the output
    refuse_existing(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        clear_stale(output)
        free = shutil.disk_usage(output.parent).free
        if free < need:
            raise full(output.parent, need)
        partial = output.parent / f".{output.name}.partial-{os.getpid()}-{secrets.token_hex(4)}"
        partial.mkdir()
    except OSError as error:
        if error.errno in FULL:
            raise full(output.parent, need) from error
        raise UsageError(f"cannot write to {output.parent}: {error.strerror or error}") from error
    try:
        yield partial
        _flush(partial)
        refuse_existing(output)
        partial.rename(output)
        _sync(output.parent)
    except OSError as error:
        if error.errno in FULL:
            raise full(output.parent, need) from error
        raise DiskError(f"writing {output} failed: {error.strerror or error}") from error
    finally:
        # After the rename nothing lies here any more.
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(output: Path) -> None:
    """Nothing is ever overwritten.

    Raises:
        UsageError: something lies there.
    """
    if os.path.lexists(output):
        raise UsageError(f"{output} is there already", hint="Name another directory with -o, or remove it.")


def full(place: Path, need: int) -> DiskError:
    """The error that a disk is full, with the bytes that are needed and free."""
    free = shutil.disk_usage(place).free
    return DiskError(
        f"no room in {place}: {need:,} bytes are needed, {free:,} are free",
        hint="Free some space (or raise the quota or file size limit), or name another place with -o.",
    )


def clear_stale(output: Path) -> None:
    """Removes what killed merges to the same place have left: their process is gone."""
    name = re.compile(rf"\.{re.escape(output.name)}\.partial-(\d+)-[0-9a-f]+")
    for entry in output.parent.iterdir():
        found = name.fullmatch(entry.name)
        if found and not entry.is_symlink() and _abandoned(int(found[1])):
            shutil.rmtree(entry, ignore_errors=True)


def _abandoned(pid: int) -> bool:
    """Whether the process that made a directory is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _flush(directory: Path) -> None:
    for place, _, files in os.walk(directory):
        for name in files:
            _sync(Path(place, name))
        _sync(Path(place))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
