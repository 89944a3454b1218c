"""A classifier's names of labels, by number and back."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import ModelError
from auditor.models.files.labels import read_labels
from auditor.safety.check import file_rule, passed, suspicious
from auditor.safety.folder import Folder
from store.records import FileCheck, Severity

CONFIG = "config.json"
REVERSE = "Write label2id as the reverse of id2label."


@file_rule(title="Names of labels")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Compares id2label with label2id: programs that go by the one and by the other call an answer differently."""
    config = folder.json(CONFIG)
    if not isinstance(config.get("id2label"), dict) or not config["id2label"]:
        return
    try:
        notes = read_labels(folder.root / CONFIG, config, ()).notes
    except ModelError as error:
        yield suspicious(CONFIG, Severity.MEDIUM, error.message.removeprefix(f"{folder.root / CONFIG}: "),
                         place="id2label", hint=error.hint)  # fmt: skip
        return
    against = [note for note in notes if note.startswith("label2id") and "against id2label" in note]
    for note in against:
        yield suspicious(
            CONFIG, Severity.MEDIUM, note, place="label2id", hint="Write label2id as the reverse of id2label."
        )
    if not against:
        yield passed(CONFIG)
