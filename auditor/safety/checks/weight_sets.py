"""Which weights a loader takes: one set, whole, as its index says; and whether they are quantised."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import AuditorError, ModelError, UsageError
from auditor.models.files.adapter import ADAPTER_CONFIG
from auditor.models.files.checkpoint import refuse_quantised
from auditor.models.files.safetensors import INDEX, WEIGHTS, find_weights, read_header
from auditor.safety.check import file_rule, found, passed, unreadable
from auditor.safety.folder import Folder
from store.records import FileCheck, Severity

_DAMAGE = ("is damaged", "cannot read")


@file_rule(title="Sets of weights")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Reads the index and the headers as a scan does: two sets, or an index that misses or leaves files, are told."""
    names = {entry.name for entry in folder.entries}
    main = next((name for name in (INDEX, WEIGHTS) if name in names), None)
    if main is None and ADAPTER_CONFIG in names:
        return
    if main is None and not any(name.endswith(".safetensors") and "/" not in name for name in names):
        return
    try:
        weights = find_weights(folder.root)
    except UsageError:
        return
    except ModelError as error:
        # What is wrong with a single file, its own check says.
        if not _damaged(folder, error):
            yield found(main or folder.root.name, Severity.HIGH, error.message, hint=error.hint)
        elif main == INDEX and str(folder.root / INDEX) in error.message:
            yield unreadable(INDEX, error.message.partition("is damaged: ")[2] or error.message, hint=error.hint)
        return
    note = " ".join(weights.notes)
    try:
        refuse_quantised(folder.root, folder.json("config.json"), weights.tensors)
    except AuditorError as error:
        note = f"{error.message} {note}".strip()
    yield passed(main or weights.files[0], note)


def _damaged(folder: Folder, error: ModelError) -> bool:
    if not any(words in error.message for words in _DAMAGE):
        return False
    for entry in folder.entries:
        if entry.name.endswith(".safetensors") and str(entry.path) in error.message:
            try:
                read_header(entry.path)
            except ModelError:
                return True
    return INDEX in error.message
