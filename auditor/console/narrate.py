"""Events → stderr, passing through: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.text import Text

from auditor.events import (
    AuditReady,
    BenchmarkReady,
    Event,
    FilesReady,
    MergeReady,
    ModelReady,
    PartnerScanned,
    Progress,
    RunOpened,
    ScanReady,
    Stage,
    Warned,
)
from auditor.visible import visible

LINE_SECONDS = 10.0
"""Without a terminal, progress is said this often."""


@dataclass
class Narrator:
    """Draws what happens.

    Attributes:
        console: of standard error.
        quiet: warnings only.
        plain: lines instead of a live display.
    """

    console: Console
    quiet: bool = False
    plain: bool = False
    _bars: Bars | None = None
    _task: TaskID | None = None
    _said: float = field(default=0.0)
    _stage: str = ""

    def follow(self, events: Generator[Event, None, object]) -> Generator[Event, None, None]:
        """Passes the events on and draws them."""
        live = not (self.quiet or self.plain) and self.console.is_terminal
        self._bars = _make_bars(self.console) if live else None
        with closing(events), self._bars or nullcontext():
            for event in events:
                self._show(event)
                yield event

    def _show(self, event: Event) -> None:
        match event:
            case Warned():
                self._say(f"warning: {event.text}", always=True)
            case Stage():
                self._begin(event)
            case Progress():
                self._advance(event)
            case RunOpened() if event.resumed:
                self._say(f"resuming from {event.resumed} of {event.batches} stored batches")
            case FilesReady():
                self._say(f"files of {event.record.model.reference}: {event.record.verdict}")
            case ScanReady():
                self._say(f"scan {event.scan.id}: {event.scan.verdict}")
            case PartnerScanned():
                scan = event.scan
                self._say(f"scan {scan.id} of the partner {scan.model.reference}: {scan.verdict}")
            case MergeReady():
                self._say(f"merged into {event.merge.output} in {event.merge.seconds:.1f} s")
            case AuditReady():
                self._say(f"audit {event.audit.id}: {event.audit.stamp or 'no stamp'}")
            case BenchmarkReady():
                told = ", ".join(f"{s.metric} {s.value:.4f}" for s in event.scores)
                self._say(f"{event.scores[0].task if event.scores else 'benchmark'} of {event.model}: {told}")
            case ModelReady():
                self._say(f"{event.text}: {event.path}")
            case _:
                pass

    def _begin(self, event: Stage) -> None:
        self._stage = event.text
        self._said = time.monotonic()
        if self._bars is None:
            self._say(event.text)
            return
        if self._task is not None:
            self._bars.stop_task(self._task)
            self._bars.update(self._task, visible=False)
        self._task = self._bars.add_task(visible(event.text), total=event.total or None)

    def _advance(self, event: Progress) -> None:
        if self._bars is not None and self._task is not None:
            text = f"{self._stage} {event.detail}" if event.detail and event.detail not in self._stage else self._stage
            self._bars.update(self._task, completed=event.done, total=event.total, description=visible(text))
        elif time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            self._say(f"{self._stage}: {event.done} of {event.total} {event.unit} {event.detail}".rstrip())

    def _say(self, text: str, *, always: bool = False) -> None:
        if always or not self.quiet:
            self.console.print(Text(visible(text)), soft_wrap=True, highlight=False)


def _make_bars(console: Console) -> Bars:
    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=4,
    )
