"""All checks over a model's files, as one report."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from auditor.events import Event, Progress, Stage
from auditor.models.files.fingerprint import digest_of_files
from auditor.safety.check import RULES, FileRule
from auditor.safety.folder import Folder, read_folder
from auditor.safety.streaming import read_weights
from store.records import FileCheck, FileReport, Severity

OUTCOMES = ("found", "unreadable", "suspicious", "passed")
_SEVERITIES = tuple(Severity)
UNKNOWN = "formats"


def inspect_files(path: Path) -> Generator[Event, None, FileReport]:
    """Looks at every file of a model, and loads none.

    Args:
        path: a folder, or a single file.

    Yields:
        How far it is.

    Returns:
        Every check with its outcome, findings first; and the digest of every file.

    Raises:
        ModelError: the folder cannot be listed.
    """
    folder = read_folder(path)
    yield Stage("files", f"Looking at {len(folder.entries)} files", len(RULES))
    digests = read_weights(folder)
    checks: list[FileCheck] = []
    for done, rule in enumerate(RULES.values(), 1):
        checks += _seen(rule, folder)
        yield Progress("files", done, len(RULES), "checks", rule.title)
    known = {check.file for check in checks if check.rule != "links"}
    for entry in folder.entries:
        if entry.name not in known and not entry.irregular:
            words = "no check knows it: it was not scanned"
            checks.append(FileCheck(UNKNOWN, entry.name, "unreadable", Severity.MEDIUM, words))
    checks.sort(key=lambda c: (OUTCOMES.index(c.outcome), _SEVERITIES.index(c.severity), c.file, c.rule, c.place))
    files = {entry.name: digests.get(entry.name) or _digest(folder, entry.name) for entry in folder.entries}
    return FileReport(digest_of_files(files), files, tuple(checks))


def _seen(rule: FileRule, folder: Folder) -> list[FileCheck]:
    return [replace(check, rule=rule.name) for check in rule.look(folder)]


def _digest(folder: Folder, name: str) -> str:
    """A file's SHA-256; empty where it cannot be read."""
    entry = folder.named(name)
    if entry is None:
        return ""
    try:
        with entry.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
