"""The scan that an audit repeats after the merge: the rows of the last one, so that its stored answers are used."""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

from auditor.requests.arguments import DataChoice, ScanChoice

if TYPE_CHECKING:
    from screens.shell import Shell
    from store.records import Scan


def data_of(scan: Scan) -> DataChoice:
    """The data that a scan was asked with: its findings' command names the columns too."""
    source = "" if scan.data.source.startswith("builtin") else scan.data.source
    words = shlex.split(scan.findings[0].reproduce) if scan.findings else []
    named = dict(pairwise(words))
    if "--data" in named:
        source = named["--data"]
    columns = (named.get(flag, "") for flag in ("--text-column", "--pair-column", "--label-column"))
    return DataChoice(source, *columns)


def rescan_choice(model: str, data: DataChoice, last: Scan | None, shell: Shell) -> ScanChoice:
    """A scan of rows as the last scan was made; the full suite where there was none."""
    return ScanChoice(
        model=model,
        data=data,
        suite=last.settings.suite if last else "full",
        samples=last.settings.samples if last else None,
        seed=last.settings.seed if last else 0,
        device=shell.device,
        policy=shell.chosen.policy,
    )
