"""Events → a file, one JSON object a line, passing through."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

from auditor.events.events import AuditReady, BatchAnswered, Event, FilesReady, PartnerScanned, ScanReady, Started
from probes.rates import Rate

SCHEMA = "auditor/events/1"


def open_log(path: Path) -> TextIO:
    """Opens an event file for writing, line by line."""
    # A command line may hold bytes that are no text; escaped like this they are JSON's own escapes.
    return path.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)


def log_events(events: Generator[Event, None, object], out: TextIO) -> Generator[Event, None, None]:
    """Writes each event as a line and passes it on. Whole scans and audits are named by their id: the catalog has
    them.
    """
    with closing(events):
        for event in events:
            write_event(event, out)
            yield event


def write_event(event: Event, out: TextIO) -> None:
    """One event as one line."""
    out.write(json.dumps(line_of(event), ensure_ascii=False) + "\n")
    out.flush()


def line_of(event: Event) -> dict[str, Any]:
    """An event as plain values. `kind` is the class's name in lower case with dashes."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    match event:
        case Started():
            return {"kind": kind, "schema": SCHEMA, "command": list(event.command), "id": event.id}
        case BatchAnswered():
            return {"kind": kind, "run": event.run, "number": event.batch.number, "answers": len(event.batch.answers)}
        case ScanReady() | PartnerScanned():
            scan = event.scan
            return {"kind": kind, "id": scan.id, "model": scan.model.digest, "verdict": str(scan.verdict)}
        case FilesReady():
            record = event.record
            return {"kind": kind, "id": record.id, "model": record.model.digest, "verdict": str(record.verdict)}
        case AuditReady():
            audit = event.audit
            return {"kind": kind, "id": audit.id, "stamp": str(audit.stamp) if audit.stamp else None}
        case _:
            return {"kind": kind, **plain(event)}


def plain(value: Any) -> Any:
    """Dataclasses, enums and tuples as JSON's own values; properties that a rate computes are added."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, Rate):
            found |= {"value": value.value, "low": value.low, "high": value.high}
        return found
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
