"""The scan that an audit repeats after the merge: the rows of the last one, so that its stored answers are used."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from auditor.requests.scan import DECODINGS, GREEDY, DataRequest, ScanRequest

if TYPE_CHECKING:
    from store.records import Scan


def data_of(scan: Scan) -> DataRequest:
    """The data that a scan was asked with: its findings' command names the columns too. Prompts are none."""
    if scan.settings.asking is not None:
        return DataRequest()
    source = "" if scan.data.source.startswith("builtin") else scan.data.source
    words = shlex.split(scan.findings[0].reproduce) if scan.findings else []
    named = dict(pairwise(words))
    if "--data" in named:
        source = named["--data"]
    columns = (named.get(flag) or None for flag in ("--text-column", "--pair-column", "--label-column"))
    return DataRequest(source or None, *columns)


def rescan_of(model: str, data: DataRequest, last: Scan | None) -> ScanRequest:
    """A scan of rows as the last scan was made; the full suite where there was none."""
    asked = ScanRequest(
        model=model,
        data=data,
        suite=last.settings.suite if last else "full",
        samples=last.settings.samples if last else None,
        seed=last.settings.seed if last else 0,
        triggers=tuple(trigger.id for trigger in last.triggers) if last else (),
    )
    if last is None or last.settings.asking is None:
        return asked
    how, source = last.settings.asking, last.data.source
    known = {values: name for name, values in DECODINGS.items()}
    return replace(
        asked,
        prompts=None if source.startswith("builtin") else source,
        template=how.template,
        decoding=known.get((how.beams, how.temperature, how.top_p), GREEDY),
    )
