"""Safetensors files whose header holds: no overlap, no gap, nothing behind the last tensor, no key twice."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import ModelError
from auditor.models.files.safetensors import read_header
from auditor.safety.check import file_rule, found, passed, unreadable
from auditor.safety.folder import Folder
from auditor.safety.kinds import Kind
from store.records import FileCheck, Severity

_CUT = ("truncated", "does not fit in a file", "bytes long; the header", "cannot read")
"""Words of damage that comes of a copy that broke off; any other is made."""


@file_rule(title="Headers of safetensors")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Reads every header; a file that was cut short is not scanned, one that contradicts itself is a finding."""
    for entry in folder.entries:
        if entry.irregular or not (entry.kind is Kind.SAFETENSORS or entry.name.endswith(".safetensors")):
            continue
        try:
            count = len(read_header(entry.path))
        except ModelError as error:
            what = error.message.partition("is damaged: ")[2] or error.message
            if any(words in error.message for words in _CUT):
                yield unreadable(entry.name, what, hint=error.hint)
            else:
                yield found(entry.name, Severity.HIGH, what, place="header", hint=error.hint)
        else:
            yield passed(entry.name, f"{count} tensors")
