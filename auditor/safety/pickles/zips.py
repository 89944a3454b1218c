"""Zip archives read by what stands in them: checksums, flags and the names of local headers are not relied on.

Readers differ in what they check: Python's `zipfile` refuses a member whose CRC is wrong, PyTorch's reader takes it. So
a member's bytes are taken from where the central directory says, and are inflated whatever its checksum is
(APPNOTE.TXT, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.4).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MOST_MEMBERS = 100_000
MOST_DIRECTORY = 64_000_000
_END, _END64, _LOCATOR, _CENTRAL, _LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02", b"PK\x03\x04"
STORED, DEFLATED = 0, 8


class NotZip(ValueError):
    """An archive that cannot be read; the message says why."""


@dataclass(frozen=True)
class Member:
    """A member: its name in the directory and in its own header, and how its bytes lie there."""

    name: str
    own_name: str
    method: int
    packed: int
    size: int
    begin: int
    flags: int


def members(file: IO[bytes]) -> list[Member]:
    """The members of an archive by its central directory.

    Raises:
        NotZip: it has none, or one that does not fit the file.
    """
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - 66_000)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise NotZip("it has no directory at its end")
    count, length, offset = struct.unpack("<H2I", tail[at + 10 : at + 20])
    end = tail_at + at
    locator = at - 20
    if locator >= 0 and tail[locator : locator + 4] == _LOCATOR:
        (place,) = struct.unpack("<Q", tail[locator + 8 : locator + 16])
        file.seek(min(place, size))
        head = file.read(56)
        if len(head) == 56 and head[:4] == _END64:
            count, length, offset = struct.unpack("<3Q", head[32:56])
            end = place
    if length > MOST_DIRECTORY or count > MOST_MEMBERS or length > end:
        raise NotZip(f"its directory would hold {count:,} members in {length:,} bytes")
    # What precedes the archive shifts all of its offsets.
    shift = end - length - offset
    if shift < 0:
        raise NotZip("its directory would begin before the file does")
    file.seek(end - length)
    return list(_directory(file, file.read(length), shift))


def _directory(file: IO[bytes], raw: bytes, shift: int) -> Iterator[Member]:
    at = 0
    while at < len(raw):
        if raw[at : at + 4] != _CENTRAL or len(raw) - at < 46:
            raise NotZip("an entry of its directory is damaged")
        flags, method = struct.unpack("<2H", raw[at + 8 : at + 12])
        packed, size, names, extras, comments = struct.unpack("<2I3H", raw[at + 20 : at + 34])
        (local,) = struct.unpack("<I", raw[at + 42 : at + 46])
        name = raw[at + 46 : at + 46 + names]
        extra = raw[at + 46 + names : at + 46 + names + extras]
        packed, size, local = _sizes64(extra, packed, size, local)
        file.seek(local + shift)
        head = file.read(30)
        if len(head) < 30 or head[:4] != _LOCAL:
            raise NotZip(f"{name!r} does not lie where its directory says")
        own, more = struct.unpack("<2H", head[26:30])
        own_name = file.read(own)
        begin = local + shift + 30 + own + more
        yield Member(_text(name), _text(own_name), method, packed, size, begin, flags)
        at += 46 + names + extras + comments


def _sizes64(extra: bytes, packed: int, size: int, local: int) -> tuple[int, int, int]:
    """The sizes and the place, from the extra field where they do not fit their own."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<2H", extra[at : at + 4])
        if kind == 1:
            values = extra[at + 4 : at + 4 + length]
            wanted = [v == 0xFFFFFFFF for v in (size, packed, local)]
            numbers = iter(struct.unpack(f"<{len(values) // 8}Q", values[: len(values) // 8 * 8]))
            size, packed, local = (
                next(numbers, v) if want else v for v, want in zip((size, packed, local), wanted, strict=True)
            )
        at += 4 + length
    return packed, size, local


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def content(file: IO[bytes], member: Member, most: int) -> bytes:
    """A member's bytes, at most so many of them.

    Raises:
        NotZip: it is packed in a way that is not read, or cannot be unpacked.
    """
    file.seek(member.begin)
    if member.method == STORED:
        return file.read(min(most, max(member.packed, member.size)))
    if member.method != DEFLATED:
        raise NotZip(f"{member.name} is packed by method {member.method}")
    unpacker = zlib.decompressobj(-15)
    parts: list[bytes] = []
    taken = 0
    while taken < most and not unpacker.eof:
        raw = unpacker.unconsumed_tail or file.read(65_536)
        if not raw:
            break
        try:
            part = unpacker.decompress(raw, most - taken)
        except zlib.error as error:
            if not parts:
                raise NotZip(f"{member.name} cannot be unpacked: {error}") from None
            break
        parts.append(part)
        taken += len(part)
    return b"".join(parts)
