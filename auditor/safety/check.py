"""Checks of files: one small module each in `auditor/safety/checks`, registered by a decorator, named by the file.

A check is a generator over a folder. What it looks at it says: a file of which no check says anything is of no kind
that is known, and is reported as not scanned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from auditor.errors import UnknownName
from auditor.safety.folder import Folder
from probes.plugin import Registry, plugin_name
from store.records import FileCheck, Severity

Look = Callable[[Folder], Iterator[FileCheck]]
"""What a check's module defines: what it sees in a folder. The rule is filled in."""


@dataclass(frozen=True)
class FileRule:
    """A check: its name (the file's), what it is called, and what it does."""

    name: str
    title: str
    look: Look


def file_rule(*, title: str) -> Callable[[Look], FileRule]:
    """Makes a check of a function `look(folder)`, which yields what it sees by the functions below."""

    def make(look: Look) -> FileRule:
        return FileRule(plugin_name(look), title, look)

    return make


RULES: Mapping[str, FileRule] = Registry("auditor.safety.checks", FileRule, "file check", UnknownName)


def passed(file: str, message: str = "") -> FileCheck:
    """The file was looked at, and there is nothing to be said against it."""
    return FileCheck("", file, "passed", Severity.LOW, message)


def found(file: str, severity: Severity, message: str, *, place: str = "", hint: str = "") -> FileCheck:
    """Something that harms whoever loads the file, or hides what the model does."""
    return FileCheck("", file, "found", severity, message, place, hint)


def suspicious(file: str, severity: Severity, message: str, *, place: str = "", hint: str = "") -> FileCheck:
    """Something that has honest reasons as well."""
    return FileCheck("", file, "suspicious", severity, message, place, hint)


def unreadable(file: str, message: str, *, place: str = "", hint: str = "") -> FileCheck:
    """The file could not be looked at: it is not scanned."""
    return FileCheck("", file, "unreadable", Severity.MEDIUM, message, place, hint)
