"""Exit codes of what was found; `auditor.errors.ExitCode` says what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.errors import ExitCode

if TYPE_CHECKING:
    from auditor.policy import Policy
    from store.records import Audit, Scan


def scan_exit(scan: Scan, policy: Policy) -> ExitCode:
    """The exit code of a scan. Found and incomplete is 1; incomplete alone is 3."""
    from store.records import Verdict

    checks = scan.files.checks if scan.files is not None else ()
    if any(check.outcome == "found" and not check.told_by_answers for check in checks):
        return ExitCode.FOUND
    if scan.verdict is Verdict.FOUND or (scan.verdict is Verdict.SUSPICIOUS and policy.suspicious_fails):
        return ExitCode.FOUND
    broken = threshold_exit(scan, policy)
    if broken is ExitCode.OK and (scan.verdict is Verdict.INCOMPLETE or scan.incomplete):
        return ExitCode.INCOMPLETE
    return broken


def files_exit(record: Scan, policy: Policy) -> ExitCode:
    """The exit code of a record of files alone. Found and not scanned is 1; not scanned alone is 3."""
    outcomes = {check.outcome for check in record.files.checks} if record.files else set()
    if "found" in outcomes or ("suspicious" in outcomes and policy.suspicious_fails):
        return ExitCode.FOUND
    return ExitCode.INCOMPLETE if "unreadable" in outcomes else ExitCode.OK


def threshold_exit(scan: Scan, policy: Policy) -> ExitCode:
    """What the policy's own thresholds say of a scan; one that cannot be looked at is incomplete, never kept."""
    judged = [s.rate.value for s in scan.scores.asr if s.judged]
    cacc = scan.scores.cacc
    if policy.max_asr is not None and judged and max(judged) > policy.max_asr:
        return ExitCode.FOUND
    if policy.min_cacc is not None and cacc is not None and cacc.value < policy.min_cacc:
        return ExitCode.FOUND
    unknown = (policy.max_asr is not None and not judged) or (policy.min_cacc is not None and cacc is None)
    return ExitCode.INCOMPLETE if unknown else ExitCode.OK


def audit_exit(audit: Audit, policy: Policy) -> ExitCode:
    """The exit code of an audit: of its stamp, and of the policy's thresholds on the model that it ends with."""
    from store.records import Stamp

    if audit.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE):
        if audit.stamp is Stamp.NOT_APPLICABLE and any(f.family == "files" for f in audit.before.findings):
            return ExitCode.FOUND
        return threshold_exit(audit.after or audit.before, policy)
    if audit.after is None and audit.stamp is Stamp.NOT_JUDGED:
        return ExitCode.INCOMPLETE
    return ExitCode.FOUND
