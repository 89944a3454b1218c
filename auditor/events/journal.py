"""Events → store, passing through: what is finished is stored before the core goes on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from auditor.events.events import (
    AuditReady,
    BatchAnswered,
    Event,
    FilesReady,
    MergeReady,
    PartnerScanned,
    RunNoted,
    ScanReady,
    Warned,
)
from store.catalog import Catalog
from store.records import Scan, Verdict


def journal(events: Generator[Event, None, object], catalog: Catalog) -> Generator[Event, None, None]:
    """Stores batches, scans, merges and audits as they pass; a scan that finds less than an earlier one says so.

    The core is suspended while a batch is stored, so a batch that the next event follows is on disk.
    """
    with closing(events):
        for event in events:
            match event:
                case BatchAnswered():
                    catalog.runs.store_batch(event.run, event.batch)
                case RunNoted():
                    catalog.runs.store_notes(event.run, event.notes)
                case FilesReady():
                    if event.record.files is not None:
                        catalog.files.save(event.record.model.digest, event.record.finished, event.record.files)
                case ScanReady():
                    catalog.scans.save(event.scan)
                    yield from _reminder(event.scan, catalog)
                case PartnerScanned():
                    catalog.scans.save(event.scan)
                case MergeReady():
                    catalog.audits.save_merge(event.merge)
                case AuditReady():
                    catalog.audits.save(event.audit)
                case _:
                    pass
            yield event


def _reminder(scan: Scan, catalog: Catalog) -> Generator[Event, None, None]:
    """Other rows, fewer of them or fewer families may not show what a scan has shown before."""
    entry = catalog.models.by_digest(scan.model.digest)
    if entry is not None and entry.found_by is not None and scan.verdict is not Verdict.FOUND:
        yield Warned(
            f"an earlier scan of {scan.model.reference} found a backdoor, and this one does not take that back: "
            f"auditor report {entry.found_by}"
        )
