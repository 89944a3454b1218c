"""Pickles in any disguise, and the archives that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.safety.check import file_rule, found, passed, suspicious, unreadable
from auditor.safety.folder import Entry, Folder
from auditor.safety.kinds import Kind
from auditor.safety.pickles import zips
from auditor.safety.pickles.contents import look_into, told
from auditor.safety.pickles.machine import follow
from store.records import FileCheck, Severity

LOOKED_INTO = (Kind.PICKLE, Kind.ZIP, Kind.TAR, Kind.PACKED, Kind.SEALED, Kind.NPY, Kind.HDF5)
HIDING = (Kind.TEXT, Kind.SOURCE, Kind.JSON, Kind.UNKNOWN, Kind.DATA, Kind.SAFETENSORS)
"""Kinds that a file can be of, and a pickle of an old protocol as well."""
TEXT_MOST = 10_000_000
_OPENERS = tuple(bytes((opcode,)) for opcode in b"c(]}FIVSLNXTUBCKMJGih\x80")
"""What a pickle without a header can begin with."""


@file_rule(title="Pickles and archives")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Follows every pickle, and what is packed in archives, and names what it would import and call."""
    for entry in folder.entries:
        if entry.irregular:
            continue
        try:
            if entry.kind in LOOKED_INTO:
                yield from _looked_into(entry)
            elif entry.kind in HIDING:
                yield from _disguised(entry)
        except OSError as error:
            yield unreadable(entry.name, f"it cannot be read: {error.strerror or error}")


def _looked_into(entry: Entry) -> Iterator[FileCheck]:
    seen = 0
    with entry.open() as file:
        for check in look_into(entry.name, entry.kind, file):
            seen += 1
            yield check
        if entry.kind is Kind.PICKLE:
            try:
                zips.members(file)
            except zips.NotZip:
                pass
            else:
                seen += 1
                yield found(entry.name, Severity.HIGH, "it is a pickle and a zip archive at once: programs differ in "
                            "which of the two they read")  # fmt: skip
                file.seek(0)
                yield from look_into(entry.name, Kind.ZIP, file)
    if not seen:
        yield passed(entry.name, f"{entry.kind}; it would import nothing but what data needs")


def _disguised(entry: Entry) -> Iterator[FileCheck]:
    """A file that another kind is claimed of, and that is a pickle all the same."""
    if entry.kind is not Kind.SAFETENSORS and (entry.head[:1] not in _OPENERS or entry.size > TEXT_MOST):
        return
    with entry.open() as file:
        seen = follow(file, whole=False)
    if seen.imports and (not seen.stopped or any(i.harmful for i in seen.imports)):
        yield suspicious(entry.name, Severity.HIGH, f"it is a pickle, though its name says {entry.kind}")
        yield from told(entry.name, seen)
