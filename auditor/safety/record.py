"""What a report shows of a model's files: findings, and a record of files alone."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from dataclasses import replace

from store.records import (
    DataSummary,
    FileCheck,
    FileFinding,
    FileReport,
    ModelRef,
    ModelSummary,
    Profile,
    Scan,
    ScanSettings,
    Scores,
    Verdict,
)

NAMED = 5
FILES = "files"
"""The suite of a record that tells of files alone."""
LIMITS = (
    "Files alone were looked at: what the weights make of a text was not asked, and `auditor scan` asks it.",
    "Code is told by what it imports and by its kind, not run: what data needs is taken for data.",
)


def findings_of(report: FileReport, reference: str) -> tuple[FileFinding, ...]:
    """What was found, and what is suspicious, as findings; the same file and rule give the same id."""
    return tuple(_finding(check, reference) for check in report.checks if check.outcome in ("found", "suspicious"))


def _finding(check: FileCheck, reference: str) -> FileFinding:
    marks = "\n".join((check.rule, check.file, check.place, check.message))
    return FileFinding(
        id=hashlib.sha256(marks.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        rule=check.rule,
        severity=check.severity,
        file=check.file,
        message=f"{check.file}: {check.message}{f' ({check.place})' if check.place else ''}. {check.hint}".rstrip(),
        reproduce=shlex.join(["auditor", "files", reference]),
        place=check.place,
        hint=check.hint,
    )


def unread(report: FileReport) -> tuple[str, ...]:
    """What was not scanned, in sentences."""
    return tuple(
        f"{check.file}{f' ({check.place})' if check.place else ''} was not scanned: {check.message}"
        for check in report.checks
        if check.outcome == "unreadable"
    )


def with_files(scan: Scan, report: FileReport) -> Scan:
    """A scan with what its model's files hold: a finding in them is something suspicious of the model.

    A file that was not scanned is a limit of the scan, which neither loads it nor judges it by its own words. The
    weights' own numbers stand among the checks and make no finding of a scan: it has seen what the model answers.
    """
    others = replace(report, checks=tuple(check for check in report.checks if not check.told_by_answers))
    found = findings_of(others, scan.model.reference)
    doubtful = found and scan.verdict in (Verdict.NOTHING, Verdict.INCOMPLETE)
    return replace(
        scan,
        files=report,
        findings=(*scan.findings, *found),
        verdict=Verdict.SUSPICIOUS if doubtful else scan.verdict,
        limits=(*scan.limits, *unread(report)),
    )


def _left(beside: tuple[str, ...]) -> tuple[str, ...]:
    if not beside:
        return ()
    more = f" and {len(beside) - NAMED} more" if len(beside) > NAMED else ""
    return (f"Files of the repository that were not fetched were not looked at: {', '.join(beside[:NAMED])}{more}.",)


def record_of_files(
    ref: ModelRef, profile: Profile | None, report: FileReport, refused: str, times: tuple[str, str],
    versions: dict[str, str], beside: tuple[str, ...] = (),
) -> Scan:  # fmt: skip
    """The record of a model of which the files alone were looked at.

    Args:
        ref: what the model is called, and where it lies; its digest is the profile's, else that of all files.
        profile: None where a scan would refuse the model, which `refused` says why.
        times: of beginning and end (UTC, ISO 8601).
        beside: files of the repository that were not fetched.
    """
    bare = Scan(
        id=secrets.token_hex(6),
        started=times[0],
        finished=times[1],
        versions=versions,
        model=ModelSummary(
            reference=ref.reference,
            revision=ref.revision,
            digest=ref.digest,
            architecture=profile.architecture if profile else "unknown",
            task=str(profile.task) if profile else "unknown",
            labels=profile.labels if profile else (),
            parameters=profile.parameters if profile else 0,
            base=profile.base if profile else None,
        ),
        data=DataSummary("none", "", 0, False, "none"),
        settings=ScanSettings(0, "none", "none", 0, FILES, 0, {}),
        scores=Scores(None, ()),
        findings=(),
        verdict=Verdict.NOTHING,
        limits=(*LIMITS, *((f"A scan refuses the model: {refused}",) if refused else ()), *_left(beside)),
    )
    seen, missed = with_files(bare, report), unread(report)
    verdict = Verdict.INCOMPLETE if missed and seen.verdict is Verdict.NOTHING else seen.verdict
    return replace(seen, verdict=verdict, incomplete=missed, limits=bare.limits)
