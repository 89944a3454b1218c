"""What lies in a file that may hold pickles: followed, unpacked and looked into, down to a few levels."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from auditor.safety.check import found, suspicious, unreadable
from auditor.safety.kinds import HEAD, Kind, kind_of
from auditor.safety.pickles import zips
from auditor.safety.pickles.machine import Followed, Import, follow
from store.records import FileCheck, Severity

MOST_UNPACKED = 2**28
"""Bytes of a packed file or of a member of an archive that are looked at, at most."""
MOST_LEVELS = 3
MOST_TAR = 20_000
ASIDE = "No loader of safetensors opens the file; remove it from what is deployed."
SAFE = "Ask for safetensors; where this file is needed, load it with torch.load(weights_only=True) alone."
# PyTorch's archives: numbers, and what says how they lie.
_NUMBERS = re.compile(r"(.*/)?(data|tensors)/\d+|(.*/)?(version|byteorder|\.format_version|\.storage_alignment)|"
                      r"(.*/)?\.data/serialization_id", re.DOTALL)  # fmt: skip
_TORCHSCRIPT = re.compile(r"(.*/)?(code/.*|constants\.pkl)", re.DOTALL)
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(Lambda|TFOpLambda)"')


def look_into(name: str, kind: Kind, file: IO[bytes], *, where: str = "", level: int = 0) -> Iterator[FileCheck]:
    """What is to be said against a file's contents; nothing where there is nothing.

    Args:
        name: of the file, for the report.
        kind: what it is.
        file: seekable, at its beginning.
        where: the member of archives that it is, for the report.
        level: in how many archives it lies.
    """
    if level > MOST_LEVELS:
        yield unreadable(name, f"it lies in more than {MOST_LEVELS} archives, one in another", place=where)
        return
    match kind:
        case Kind.PICKLE:
            yield from of_pickle(name, file, where)
        case Kind.ZIP:
            yield from _of_zip(name, file, where, level)
        case Kind.TAR:
            yield from _of_tar(name, file, where, level)
        case Kind.PACKED:
            yield from _of_packed(name, file, where, level)
        case Kind.NPY:
            yield from _of_array(name, file, where)
        case Kind.HDF5:
            yield from _of_keras(name, file, where)
        case Kind.SEALED:
            yield unreadable(
                name, "it is an archive of a kind that is not opened (7z, rar, zstandard, lz4)", place=where,
                hint="Unpack it into a folder of its own, and look at that.",
            )  # fmt: skip
        case Kind.NATIVE:
            yield found(name, Severity.HIGH, "it holds machine code", place=where, hint=ASIDE)
        case _:
            return


def of_pickle(name: str, file: IO[bytes], where: str = "") -> Iterator[FileCheck]:
    """What a file of pickles would import and call."""
    yield from told(name, follow(file), where)


def told(name: str, seen: Followed, where: str = "") -> Iterator[FileCheck]:
    """What was followed, as findings: one for what is harmful, one for what is not known, one for what is odd."""
    harmful = [i for i in seen.imports if i.harmful]
    strange = [i for i in seen.imports if not i.harmful and not i.allowed]
    if harmful:
        yield found(
            name, Severity.CRITICAL, f"whoever unpickles it runs {_named(harmful)}", place=_place(where, harmful[0].at),
            hint=ASIDE,
        )  # fmt: skip
    if seen.odd:
        at, what = seen.odd[0]
        yield found(name, Severity.HIGH, f"the pickle {what}, which no program that saves data writes",
                    place=_place(where, at), hint=ASIDE)  # fmt: skip
    if strange:
        yield suspicious(
            name, Severity.MEDIUM, f"the pickle imports {_named(strange)}, which data does not need",
            place=_place(where, strange[0].at), hint=SAFE,
        )  # fmt: skip
    if seen.stopped and not (harmful or seen.odd):
        yield unreadable(name, f"the pickle was not scanned to its end: {seen.stopped}", place=where, hint=SAFE)


def _named(imports: list[Import]) -> str:
    names = list(dict.fromkeys(map(str, imports)))
    return ", ".join(n[:100] for n in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _place(where: str, at: int) -> str:
    return f"{where}, byte {at}" if where else f"byte {at}"


def _inside(where: str, member: str) -> str:
    return f"{where} → {member}" if where else member


def _of_zip(name: str, file: IO[bytes], where: str, level: int) -> Iterator[FileCheck]:
    try:
        inside = zips.members(file)
    except zips.NotZip as error:
        yield unreadable(name, f"the archive was not scanned: {error}", place=where, hint=SAFE)
        return
    script = [m.name for m in inside if _TORCHSCRIPT.fullmatch(m.name)]
    if script:
        yield suspicious(
            name, Severity.HIGH, f"the archive holds a program of TorchScript ({script[0]}), which runs when loaded",
            place=where, hint=SAFE,
        )  # fmt: skip
    for member in inside:
        at = _inside(where, member.name)
        if member.name != member.own_name:
            yield found(name, Severity.HIGH, f"a member is called {member.name!r} by the directory and "
                        f"{member.own_name!r} by itself: programs differ in what they take", place=at)  # fmt: skip
        if _leaves(member.name):
            yield found(name, Severity.HIGH, "a member's name leads out of the folder it is unpacked into", place=at)
        if member.name.endswith("/") or _NUMBERS.fullmatch(member.name):
            continue
        try:
            raw = zips.content(file, member, MOST_UNPACKED)
        except zips.NotZip as error:
            yield unreadable(name, f"not scanned: {error}", place=at, hint=SAFE)
            continue
        yield from _of_member(name, member.name, raw, at, level)


def _of_member(name: str, member: str, raw: bytes, at: str, level: int) -> Iterator[FileCheck]:
    if len(raw) >= MOST_UNPACKED:
        yield unreadable(name, f"a member is longer than {MOST_UNPACKED:,} bytes, and was not scanned", place=at)
        return
    kind = kind_of(member, raw[:HEAD])
    if kind is Kind.UNKNOWN:
        yield unreadable(name, "a member is of no kind that is known, and was not scanned", place=at)
    elif kind is Kind.SOURCE:
        yield suspicious(name, Severity.MEDIUM, "the archive holds source code", place=at)
    elif kind is Kind.JSON and _LAMBDA.search(raw):
        yield found(name, Severity.HIGH, "a layer of Keras holds code of its own (Lambda)", place=at, hint=ASIDE)
    else:
        yield from look_into(name, kind, io.BytesIO(raw), where=at, level=level + 1)


def _of_tar(name: str, file: IO[bytes], where: str, level: int) -> Iterator[FileCheck]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for count, member in enumerate(archive):
                at = _inside(where, member.name)
                if count >= MOST_TAR:
                    yield unreadable(name, f"the archive holds more than {MOST_TAR:,} members", place=where)
                    return
                if _leaves(member.name) or member.issym() or member.islnk() or member.isdev():
                    yield found(name, Severity.HIGH, "a member leads out of the folder it is unpacked into, or is a "
                                "link or a device", place=at)  # fmt: skip
                if member.isreg() and (inside := archive.extractfile(member)) is not None:
                    yield from _of_member(name, member.name, inside.read(MOST_UNPACKED), at, level)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        yield unreadable(name, f"the archive was not scanned: {error}", place=where)


def _of_packed(name: str, file: IO[bytes], where: str, level: int) -> Iterator[FileCheck]:
    head = file.read(8)
    file.seek(0)
    unpackers: tuple[tuple[bytes, Callable[[], Any]], ...] = (
        (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
        (b"BZh", bz2.BZ2Decompressor),
        (b"\xfd7zXZ", lzma.LZMADecompressor),
        (b"]\x00", lzma.LZMADecompressor),
        (b"\x78", zlib.decompressobj),
    )
    make = next(make for mark, make in unpackers if head.startswith(mark))
    try:
        raw = _unpacked(make(), file)
    except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError) as error:
        yield unreadable(name, f"it cannot be unpacked: {error}", place=where)
        return
    if len(raw) >= MOST_UNPACKED:
        yield unreadable(name, f"it is longer than {MOST_UNPACKED:,} bytes when it is unpacked", place=where)
        return
    kind = kind_of(name.rpartition(".")[0], raw[:HEAD])
    if kind is Kind.UNKNOWN:
        yield unreadable(name, "what is packed in it is of no kind that is known", place=where)
    else:
        yield from look_into(name, kind, io.BytesIO(raw), where=_inside(where, "unpacked"), level=level + 1)


def _unpacked(unpacker: Any, file: IO[bytes]) -> bytes:
    parts: list[bytes] = []
    left = MOST_UNPACKED
    rest = b""
    while left > 0 and not unpacker.eof:
        raw = rest or (b"" if getattr(unpacker, "needs_input", True) is False else file.read(65_536))
        if not raw and getattr(unpacker, "needs_input", True):
            break
        part = unpacker.decompress(raw, left)
        rest = getattr(unpacker, "unconsumed_tail", b"")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _of_array(name: str, file: IO[bytes], where: str) -> Iterator[FileCheck]:
    """An array of objects is a pickle behind a header (numpy.lib.format)."""
    head = file.read(12)
    length = int.from_bytes(head[8:10] if head[6:7] == b"\x01" else head[8:12], "little")
    begin = (10 if head[6:7] == b"\x01" else 12) + length
    file.seek(10 if head[6:7] == b"\x01" else 12)
    header = file.read(min(length, 1_000_000))
    if b"O" in header.partition(b"fortran_order")[0].replace(b"descr", b""):
        file.seek(begin)
        yield from told(name, follow(file), where)


def _of_keras(name: str, file: IO[bytes], where: str) -> Iterator[FileCheck]:
    """Attributes of HDF5, of which the description of layers is one, are not compressed."""
    kept, at = b"", 0
    while part := file.read(2**20):
        window = kept + part
        if hit := _LAMBDA.search(window):
            yield found(name, Severity.HIGH, "a layer of Keras holds code of its own (Lambda)",
                        place=_place(where, at - len(kept) + hit.start()), hint=ASIDE)  # fmt: skip
            return
        kept, at = window[-64:], at + len(part)


def _leaves(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":")
