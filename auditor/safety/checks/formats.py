"""All other kinds of files: those that hold no code, and those that nobody here knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.safety.check import file_rule, found, passed, unreadable
from auditor.safety.folder import Entry, Folder
from auditor.safety.kinds import Kind
from probes.reading import parse_json, read_bytes
from store.records import FileCheck, Severity

HARMLESS = (Kind.IMAGE, Kind.DATA, Kind.TEXT, Kind.EMPTY)
MOST_JSON = 200_000_000
NEEDED = frozenset({
    "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "adapter_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json",
})  # fmt: skip
# An entry of ONNX's external data: the key `location`, and the path as the value (onnx.proto, StringStringEntryProto).
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")


@file_rule(title="Other formats")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Says of every other file that it holds no code, or that it was not scanned."""
    for entry in folder.entries:
        if entry.irregular:
            continue
        try:
            yield from _seen(entry)
        except OSError as error:
            yield unreadable(entry.name, f"it cannot be read: {error.strerror or error}")


def _seen(entry: Entry) -> Iterator[FileCheck]:
    match entry.kind:
        case Kind.UNKNOWN:
            yield unreadable(entry.name, "it is of no kind that is known here, and was not scanned",
                             hint="Remove it, if the model does not need it.")  # fmt: skip
        case Kind.ONNX:
            yield from _onnx(entry)
        case Kind.JSON:
            yield from _json(entry)
        case kind if kind in HARMLESS:
            yield passed(entry.name, str(kind))
        case _:
            return


def _json(entry: Entry) -> Iterator[FileCheck]:
    try:
        parse_json(read_bytes(entry.path, MOST_JSON))
    except ValueError as error:
        if entry.last in NEEDED or entry.last.endswith(".index.json"):
            yield unreadable(entry.name, f"it is damaged: {error}"[:300])
        else:
            yield passed(entry.name, "text that is no JSON")
    else:
        yield passed(entry.name, "JSON")


def _onnx(entry: Entry) -> Iterator[FileCheck]:
    """A protobuf message; external data may be kept in files beside it, and nowhere else."""
    if entry.head[:1] not in (b"\x08", b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42", b"\x0a"):
        yield unreadable(entry.name, "it does not begin as ONNX does, and was not scanned")
        return
    kept, at, odd = b"", 0, ""
    with entry.open() as file:
        while (part := file.read(2**20)) and not odd:
            window = kept + part
            for hit in _LOCATION.finditer(window):
                path = window[hit.end() : hit.end() + hit[1][0]].decode("utf-8", "replace")
                if path.startswith(("/", "\\")) or ".." in path or ":" in path:
                    odd = f"byte {at - len(kept) + hit.start()}: {path}"
            kept, at = window[-256:], at + len(part)
    if odd:
        yield found(entry.name, Severity.HIGH, "its external data would be read from outside of the folder", place=odd)
    else:
        yield passed(entry.name, "ONNX; its external data lie beside it")
