"""Before and after with their intervals, beside the numbers and never instead of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.color import Color
from textual_plotext import PlotextPlot

BEFORE, AFTER = "○", "●"


@dataclass(frozen=True, slots=True)
class Plotted:
    """One measure: (value, low, high) before and after, in fractions; None where a side has none."""

    name: str
    before: tuple[float, float, float] | None
    after: tuple[float, float, float] | None


class ChangePlot(PlotextPlot):
    """A line a measure, from 0 to 100 %."""

    HELP = "The same figures as in the table, drawn: ○ before and ● after, each on its 95 % interval."
    DEFAULT_CSS = """
    ChangePlot { height: 1fr; width: 1fr; }
    """

    def show(self, measures: Sequence[Plotted]) -> None:
        """Draws other measures, the first one on top."""
        plot = self.plt
        plot.clear_figure()
        places = list(range(len(measures), 0, -1))
        sides = ((BEFORE, "foreground", 0.18), (AFTER, "accent", -0.18))
        for marker, variable, shift in sides:
            colour = self._colour(variable)
            for place, measure in zip(places, measures, strict=True):
                side = measure.before if marker == BEFORE else measure.after
                if side is not None:
                    height = place + shift
                    plot.plot([side[1] * 100, side[2] * 100], [height, height], marker="─", color=colour)
                    plot.scatter([side[0] * 100], [height], marker=marker, color=colour)
        plot.yticks([float(place) for place in places], [measure.name for measure in measures])
        plot.ylim(0.5, len(measures) + 0.5)
        plot.xlim(-2, 102)
        plot.xlabel(f"% of rows   {BEFORE} before   {AFTER} after")
        self.refresh()

    def _colour(self, variable: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[variable]).rgb
