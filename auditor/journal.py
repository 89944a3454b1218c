"""Events → store, passing through: what is finished is stored before the core goes on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from auditor.events import AuditReady, BatchAnswered, Event, MergeReady, ScanReady
from store.catalog import Catalog


def journal(events: Generator[Event, None, object], catalog: Catalog) -> Generator[Event, None, None]:
    """Stores batches, scans, merges and audits as they pass.

    The core is suspended while a batch is stored, so a batch that the next event follows is on disk.
    """
    with closing(events):
        for event in events:
            match event:
                case BatchAnswered():
                    catalog.scans.store_batch(event.run, event.batch)
                case ScanReady():
                    catalog.scans.save(event.scan)
                case MergeReady():
                    catalog.audits.save_merge(event.merge)
                case AuditReady():
                    catalog.audits.save(event.audit)
                case _:
                    pass
            yield event
