"""How files that nobody vouches for are opened and parsed: regular files only, and within bounds.

A pipe has no end, a device may have none, and opening either can wait for ever or do something. JSON and TOML of a few
megabytes can take minutes and gigabytes to parse; what they would take is told before, by counting.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

MAX_CONTAINERS = 4_000_000
"""Arrays and objects in one JSON value, at most. A list takes some 90 bytes of memory, an object 250."""
MAX_VALUES = 20_000_000
"""Values in one JSON value, at most."""
MAX_TOML = 4_000_000
"""Bytes of a TOML file, at most."""
MAX_DOTS = 100
"""Parts of a dotted key in TOML, at most: the parser takes a time that grows with their square."""
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path, *, most: int | None = None) -> BufferedReader:
    """Opens a file for reading, if it is a regular one (a link to one is as good) of at most so many bytes.

    Opening neither waits nor changes anything, whatever lies there.

    Raises:
        OSError: it cannot be opened, is no regular file, or is longer; `strerror` says which.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "something else")
            raise OSError(
                errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL,
                f"it is {kind}, and only regular files are read",
                str(path),
            )
        if most is not None and found.st_size > most:
            words = f"it is {found.st_size:,} bytes long, more than any file of its kind (at most {most:,})"
            raise OSError(errno.EINVAL, words, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


_GROWN = 1 << 20
"""Bytes read at a time of a file that grows while it is read."""


def read_bytes(path: Path, most: int) -> bytes:
    """A regular file's bytes, of which there may be at most so many.

    Raises:
        OSError: as `open_regular`; also where the file grows beyond the bound as it is read.
    """
    with open_regular(path, most=most) as file:
        # A read takes the memory that it asks for, whatever the file holds.
        content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
        while len(content) <= most and (more := file.read(min(most + 1 - len(content), _GROWN))):
            content += more
    if len(content) > most:
        raise OSError(errno.EINVAL, f"it is longer than {most:,} bytes", str(path))
    return content


def parse_json(raw: bytes | str, *, hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """A JSON value, unless it holds more arrays, objects or values than any that is meant to be read.

    Args:
        raw: UTF-8, where it is bytes.
        hook: makes an object of its members.

    Raises:
        ValueError: no JSON, no UTF-8, too many values, or a number or a nesting beyond what Python reads.
    """
    if isinstance(raw, bytes):
        containers, values = raw.count(b"[") + raw.count(b"{"), raw.count(b",")
    else:
        containers, values = raw.count("[") + raw.count("{"), raw.count(",")
    if containers > MAX_CONTAINERS or values > MAX_VALUES:
        raise ValueError(
            f"it holds {containers:,} arrays and objects and {values:,} commas; at most {MAX_CONTAINERS:,} and "
            f"{MAX_VALUES:,} are read"
        )
    try:
        return json.loads(raw.decode("utf-8") if isinstance(raw, bytes) else raw, object_pairs_hook=hook)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table.

    Raises:
        OSError: as `read_bytes`.
        ValueError: no TOML, no UTF-8, or nested beyond what is read.
    """
    text = read_bytes(path, MAX_TOML).decode("utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if line.partition("=")[0].count(".") > MAX_DOTS:
            raise ValueError(f"line {number} holds a key of more than {MAX_DOTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
