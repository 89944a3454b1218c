"""Choose what a scan of a classifier asks: suite, families with their options, rows and what interval they buy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Input, Select

from auditor.requests.scan import DataRequest, ScanRequest
from probes.suite import SAMPLES
from screens.scan.form import ScanForm
from screens.widgets.field import Field
from screens.widgets.form import positive
from screens.words import half_width, line

if TYPE_CHECKING:
    from store.records import CatalogEntry

BUILT_IN = 400
"""Rows of a built-in corpus."""


class ScanScreen(ScanForm):
    """The form of a classifier's scan."""

    HELP = (
        "Choose what is asked. The quick suite fires each family's main variants, the full one all. More samples buy a "
        "narrower interval. Your own labelled rows (data) are better than the built-in ones: clean accuracy needs them."
    )

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__(entry, "Scan")

    def own_fields(self) -> Iterable[Field]:
        labels = [(line(name), name) for name in self.entry.profile.labels]
        yield Field("data", Input(placeholder="built-in sentences", id="data", compact=True), hint=DATA_HINT)
        yield Field("text column", Input(placeholder="found by name", id="text", compact=True))
        yield Field("pair column", Input(placeholder="none", id="pair", compact=True))
        yield Field("label column", Input(placeholder="found by name", id="label", compact=True))
        yield Field("target", Select(labels, prompt="every label", id="target", compact=True))

    def further_fields(self) -> Iterable[Field]:
        box = Input(placeholder="none", id="students", compact=True, type="integer")
        yield Field("students", box, hint=STUDENTS_HINT)

    def request(self) -> ScanRequest:
        """What the form says."""
        return replace(
            super().request(),
            data=DataRequest(*(self.typed(key) or None for key in ("data", "text", "pair", "label"))),
            target=self.selected("target"),
            students=positive(self.typed("students")) or 0,
        )

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        if self.typed("students") not in ("", "0") and positive(self.typed("students")) is None:
            return "Students is a whole number of 0 or more."
        return super().wrong()

    def buys(self) -> str:
        rows = positive(self.typed("samples")) or SAMPLES[self.suite]
        known = "" if self.typed("data") else f" (built-in: at most {BUILT_IN})"
        rows = rows if self.typed("data") else min(rows, BUILT_IN)
        labels = max(1, len(self.entry.profile.labels))
        each = max(1, round(rows * (labels - 1) / labels)) if labels > 1 else rows
        short = "; fewer than 100 a target are not judged" if each < 100 else ""
        half = half_width(each) * 100
        return f"{rows} rows{known}, about {each} a target: ASR to ±{half:.1f} points; ×4 rows halve that{short}"


DATA_HINT = (
    "csv, tsv, jsonl, parquet, or hub:dataset. Labels by name or index; with gold labels the clean accuracy is known."
)
STUDENTS_HINT = "Where no honest model is at hand: trained from its own answers to a third of the rows. 2 is usual."
