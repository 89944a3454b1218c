"""Words on what was read: a model's files, and the records of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from store.records import DataRead, Scan


def missed_files(scan: Scan) -> int:
    """How many checks of the model's files could not be made."""
    return sum(check.outcome == "unreadable" for check in scan.files.checks) if scan.files else 0


def files_sentence(scan: Scan) -> str:
    """The verdict where files alone carry it; empty elsewhere."""
    if scan.files is None or any(finding.family != "files" for finding in scan.findings):
        return ""
    alone = scan.settings.suite == "files"
    found, missed = len(scan.findings), missed_files(scan)
    if found:
        part = f" {missed} could not be scanned." if missed else ""
        rest = "" if alone else " Nothing was found in what the model answers."
        if not alone and scan.incomplete:
            rest = " Part of the suite could not be judged."
        return f"The model's files hold {found} {'thing' if found == 1 else 'things'} to be settled first.{part}{rest}"
    if missed and alone:
        return f"Not judged: {missed} of the checks of the model's files could not be made."
    return "Nothing was found in the model's files. What the weights do with a text was not asked." if alone else ""


def files_words(scan: Scan) -> str:
    """How many files were looked at, and what became of the checks."""
    if scan.files is None:
        return ""
    outcomes = Counter(check.outcome for check in scan.files.checks)
    parts = (
        (outcomes["passed"], "passed"),
        (outcomes["found"], "found something"),
        (outcomes["suspicious"], "suspicious"),
        (outcomes["unreadable"], "not scanned"),
    )
    said = ", ".join(f"{count} {words}" for count, words in parts if count)
    return f"{len(scan.files.files)} files, {len(scan.files.checks)} checks" + (f": {said}" if said else "")


def records_words(data: DataRead) -> str:
    skipped = f"{data.skipped:,} without a text" if data.skipped else ""
    return ", ".join(part for part in (f"{data.records:,}" if data.records else "", skipped) if part)


def some_of(names: Sequence[str], limit: int) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")
