"""The scores of a scan: one row per family, variant and target."""

from __future__ import annotations

from collections.abc import Iterable

from screens.scan.scores import COLUMNS, WRITER_COLUMNS, ScoreView, rows
from screens.widgets.lazy_table import LazyTable


class ScoreTable(LazyTable):
    """A table of scores; `selected` is the one under the cursor."""

    HELP = (
        "One row per attack family, variant and target (a label, or a behaviour of a model that writes): how many rows "
        "the trigger moved (ASR) with its 95 % "
        "interval, the same edit without the trigger (control, ◆ in the bar), and the difference (excess). "
        "Enter shows evidence."
    )

    def __init__(self, name: str | None = None) -> None:
        super().__init__(COLUMNS, name=name)
        self._scores: dict[str, ScoreView] = {}

    def show_scores(self, scores: Iterable[ScoreView]) -> None:
        """Shows other scores; the cursor stays on its row."""
        found = {score.key: score for score in scores}
        if found != self._scores:
            self._scores = found
            self.columns = WRITER_COLUMNS if any(score.writes for score in found.values()) else COLUMNS
            self.show_rows(rows(found.values()))

    @property
    def selected(self) -> ScoreView | None:
        """The score under the cursor."""
        return self._scores.get(self.row.key) if self.row else None
