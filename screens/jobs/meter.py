"""How far a job is: a bar, the counts, the speed, the time left, device and memory."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from auditor.jobs.progress import JobProgress
from screens.words import count, duration, line, size


class Meter(Widget):
    """Two lines: the bar with its counts, and what the machine does."""

    HELP = "How far the job is. Speed and time left are those of the last 20 seconds; memory is the process's own."
    DEFAULT_CSS = """
    Meter { height: 2; padding: 0 1; }
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(id=name)
        self._progress = JobProgress()
        self._memory: int | None = None
        self._lives = True

    def show(self, progress: JobProgress, memory: int | None, running: bool) -> None:
        """Draws another state."""
        self._progress, self._memory, self._lives = progress, memory, running
        self.refresh()

    def render(self) -> RenderResult:
        progress = self._progress
        width = max(8, min(40, self.size.width // 3))
        share = progress.share
        words: list[str] = []
        if share is None:
            bar = "░" * width
        else:
            filled = round(share * width)
            bar = "█" * filled + "░" * (width - filled)
            words.append(f"{share:.0%}")
        if progress.total:
            words.append(f"{progress.done}/{progress.total} {progress.unit}")
        if self._lives and progress.remaining is not None:
            words.append(f"{duration(progress.remaining)} left")
        facts = []
        if progress.speed:
            facts.append(f"{count(progress.speed)} {progress.unit or 'steps'}/s")
        if progress.device:
            facts.append(f"{progress.device} {progress.dtype}")
        if self._memory:
            facts.append(f"memory {size(self._memory)}")
        if progress.resumed:
            facts.append(f"resumed from {progress.resumed} of {progress.batches} stored batches")
        if progress.detail and (progress.stage == "merge" or (progress.stage == "probe" and progress.writes)):
            facts.append(progress.detail)
        first = line((bar, "accent"), "  " + "  ".join(words))
        return Content("\n").join([first, line(("  ".join(facts), "dim"))])
