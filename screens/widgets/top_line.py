"""Where one is, and what runs: the first line of every screen."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from auditor.visible import visible


class TopLine(Widget):
    """The program's name, the way here, and the number of jobs that run."""

    HELP = "Where you are. On the right: how many jobs run; J shows them."
    DEFAULT_CSS = """
    TopLine { height: 1; dock: top; background: $surface; color: $foreground; }
    """
    trail: reactive[str] = reactive("")
    running: reactive[int] = reactive(0)

    def render(self) -> RenderResult:
        jobs = f"▶ {self.running} job{'s' if self.running != 1 else ''} " if self.running else ""
        room = max(0, self.size.width - len(jobs) - 11)
        trail = visible(self.trail)
        if len(trail) > room:
            trail = "…" + trail[len(trail) - room + 1 :] if room > 1 else ""
        gap = " " * max(0, room - len(trail))
        return Content("").join(
            [
                Content.styled(" auditor ", "$primary bold"),
                Content(f"{trail}{gap}"),
                Content.styled(f"  {jobs}", "$accent"),
            ]
        )
