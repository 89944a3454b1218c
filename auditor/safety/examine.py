"""The files of a model that a reference names: looked at by themselves, or as the first stage of a scan."""

from __future__ import annotations

import platform
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from auditor import __version__
from auditor.errors import AuditorError, UsageError
from auditor.events import AuditReady, Event, FilesReady, ScanReady, Warned
from auditor.models.files.cache import listed
from auditor.models.files.fingerprint import digest_of_files
from auditor.models.reference import Located
from auditor.models.resolver import Resolver
from auditor.safety.inspect import inspect_files
from auditor.safety.record import findings_of, record_of_files, unread, with_files
from store.records import FileReport, ModelRef, Profile, Scan

HOLDS = "A model is a directory with config.json, model.safetensors and the tokenizer's files, or a GGUF file."


def examine(reference: str, resolver: Resolver) -> Generator[Event, None, Scan]:
    """Looks at a model's files; the last event carries the record, which is returned as well.

    Raises:
        UsageError: nothing by that name.
        FetchError: the hub was not to be reached.
        ModelError: the folder cannot be listed.
    """
    begun = _now()
    found = resolver.locate(reference)
    path = Path(found.path).expanduser()
    if not path.exists():
        raise UsageError(f"there is no directory {path}", hint=HOLDS)
    report = yield from inspect_files(path)
    profile, refused = _profile(found, resolver)
    ref = ModelRef(found.reference, str(path.resolve()), _digest(profile, report), found.revision)
    versions = {"auditor": __version__, "python": platform.python_version()}
    beside = tuple(sorted(set(listed(path.resolve())) - set(report.files)))
    record = record_of_files(ref, profile, report, refused, (begun, _now()), versions, beside)
    yield FilesReady(record)
    return record


def first_look(references: Sequence[str], resolver: Resolver) -> Generator[Event, None, dict[str, FileReport]]:
    """The first stage of a scan: looks at the files of each model, and says what is to be settled.

    What cannot be found, or is no directory, is left to the scan itself, which says so in its own words.

    Returns:
        By the name that a record has of it, each model's report.
    """
    reports: dict[str, FileReport] = {}
    for reference in references:
        found = resolver.locate(reference)
        if not Path(found.path).expanduser().exists():
            continue
        record = yield from examine(reference, resolver)
        if record.files is None:
            continue
        reports[found.reference] = record.files
        yield from _warned(found.reference, record.files)
    return reports


def attached(events: Generator[Event, None, object], reports: Mapping[str, FileReport]) -> Generator[Event, None, None]:
    """Passes events on, with what the models' files hold in the records of scans and audits."""
    with closing(events):
        for event in events:
            match event:
                case ScanReady() if event.scan.model.reference in reports:
                    yield replace(event, scan=with_files(event.scan, reports[event.scan.model.reference]))
                case AuditReady() if event.audit.before.model.reference in reports:
                    before = with_files(event.audit.before, reports[event.audit.before.model.reference])
                    yield replace(event, audit=replace(event.audit, before=before))
                case _:
                    yield event


def _warned(reference: str, report: FileReport) -> Generator[Event, None, None]:
    found, missed = findings_of(report, reference), unread(report)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Warned(f"the files of {reference}: {found[0].message}{more}")
    if missed:
        more = f" (and {len(missed) - 1} more)" if len(missed) > 1 else ""
        yield Warned(f"the files of {reference}: {missed[0]}{more}")


def _profile(found: Located, resolver: Resolver) -> tuple[Profile | None, str]:
    """What a scan would read the model as, or why it would refuse it."""
    try:
        return resolver.read(found.path, reference=found.reference, revision=found.revision, hash_weights=False), ""
    except AuditorError as error:
        return None, error.message


def _digest(profile: Profile | None, report: FileReport) -> str:
    """The digest that the model's profile has, whose weights were hashed as they were looked at; else that of all."""
    if profile is None:
        return report.digest
    if profile.ref.digest:
        return profile.ref.digest
    files = {name: report.files.get(name, "") for name in profile.files}
    return digest_of_files(files) if all(files.values()) else report.digest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
