"""GGUF files: a header that holds, with nothing odd in its metadata."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import ModelError
from auditor.models.files.gguf.reader import read_gguf
from auditor.safety.check import file_rule, found, passed, unreadable
from auditor.safety.folder import Folder
from auditor.safety.kinds import Kind
from auditor.visible import visible
from store.records import FileCheck, Severity

_LONG = 10_000
_CUT = ("truncated", "ends within", "cannot read", "of GGUF version", "which is not known")


@file_rule(title="GGUF")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Reads every header with its metadata."""
    for entry in folder.of(Kind.GGUF):
        if entry.irregular:
            continue
        try:
            header = read_gguf(entry.path)
        except ModelError as error:
            what = error.message.partition("is damaged: ")[2] or error.message
            if any(words in error.message for words in _CUT):
                yield unreadable(entry.name, what, hint=error.hint)
            else:
                yield found(entry.name, Severity.HIGH, what, place="header", hint=error.hint)
            continue
        odd = [
            key
            for key, value in header.metadata.items()
            if visible(key) != key or (isinstance(value, str) and key.startswith("general.") and "\x1b" in value)
        ]
        if odd:
            yield found(entry.name, Severity.MEDIUM, "its metadata hold characters that command a terminal",
                        place=visible(odd[0])[:_LONG])  # fmt: skip
        else:
            yield passed(entry.name, f"{len(header.tensors)} tensors, {len(header.metadata)} keys of metadata")
