"""Names and places of files: links that leave the folder, what is no file at all, names that hide something."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.safety.check import file_rule, found, passed, suspicious, unreadable
from auditor.safety.folder import Folder
from auditor.visible import visible
from store.records import FileCheck, Severity

COPY = "Copy the file itself into the folder, if it belongs to the model."


@file_rule(title="Names, links and places")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Looks at the name of each file, and at what kind of file it is."""
    for text in folder.left_out:
        yield unreadable(folder.root.name, text)
    known: dict[str, str] = {}
    for entry in folder.entries:
        told = [*_odd(entry.name, known.setdefault(entry.name.casefold(), entry.name))]
        if entry.away:
            told.append(
                found(entry.name, Severity.HIGH, f"a link out of the folder, to {visible(entry.away)}", hint=COPY)
            )
        if entry.irregular:
            told.append(found(entry.name, Severity.HIGH, f"no regular file: {entry.irregular}", hint=COPY))
        yield from told or [passed(entry.name)]


def _odd(name: str, first: str) -> Iterator[FileCheck]:
    if visible(name) != name:
        yield found(name, Severity.HIGH, "its name holds characters that are not shown, or turn the text around")
    if first != name:
        yield suspicious(
            name, Severity.MEDIUM, f"its name differs from {visible(first)!r} by the case of letters alone: where case "
            "is ignored, one of the two replaces the other",
        )  # fmt: skip
