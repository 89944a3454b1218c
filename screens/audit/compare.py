"""Before and after: rates with intervals and paired changes, the stamp with its reasons, plots beside the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Select, Static

from auditor.requests.arguments import Arguments, compare_arguments
from screens.audit.pairing import (
    COLUMNS,
    Clean,
    Pair,
    benchmarks_of_json,
    clean_of,
    clean_of_json,
    clean_row,
    deltas_of,
    deltas_of_json,
    join,
    row_of,
    writer_row,
)
from screens.messages import OpenBenchmarks, OpenExport, OpenResidual, OpenResult, OpenRows
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.lazy_table import LazyTable
from screens.widgets.page import Page
from screens.words import age, line, short, stamp, verdict

if TYPE_CHECKING:
    from probes.rates import Rate
    from screens.scan.scores import ScoreView
    from store.catalog import Catalog
    from store.records import Audit, BenchmarkChange, Scan
    from store.scans import ScanRow

CHOICES = 200
PLOTTED = 8


class CompareScreen(Page):
    """An audit, or any two scans of the same rows."""

    HELP = (
        "Each measure before and after, with 95 % intervals; the change is paired row by row. Enter on a line shows "
        "the rows that changed. The plot (v) shows the same figures, the list of what is left (l) what the stamp holds "
        "against its limit; where benchmarks were asked, b shows them before and after. The stamp says what an audit "
        "proved, and why."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "plot", "Plot"),
        Binding("l", "left", "Residual"),
        Binding("b", "benchmarks", "Benchmarks"),
        Binding("e", "export", "Export"),
        Binding("w", "swap", "Swap"),
    ]
    DEFAULT_CSS = """
    CompareScreen #head { height: auto; max-height: 9; padding: 0 1; }
    CompareScreen #choice { height: 2; padding: 0 1; }
    CompareScreen #plot { width: 1fr; border-left: solid $panel; display: none; }
    CompareScreen.-plotted #plot { display: block; }
    CompareScreen.-plotted.-narrow LazyTable, CompareScreen.-plotted.-normal LazyTable { display: none; }
    CompareScreen.-audit #choice { display: none; }
    """

    def __init__(self, *, audit: str | None = None, before: str | None = None, after: str | None = None) -> None:
        super().__init__()
        self._audit_id, self._before_id, self._after_id = audit, before, after
        self.audit: Audit | None = None
        self.before: Scan | None = None
        self.after: Scan | None = None
        self._deltas: Mapping[str, tuple[float, float, float]] = {}
        self._pairs: dict[str, Pair] = {}
        self._clean: Clean | None = None
        self._benchmarks: tuple[BenchmarkChange, ...] = ()
        self._note = ""
        self.trail = f"Audit {audit}" if audit else "Compare"

    def body(self) -> Iterable[Widget]:
        self.set_class(self._audit_id is not None, "-audit")
        yield Static(line(("Reading…", "dim")), id="head")
        yield Vertical(
            Field("before", Select([], prompt="choose a scan", id="before", compact=True)),
            Field("after", Select([], prompt="choose a scan of the same rows", id="after", compact=True)),
            id="choice",
        )
        yield Horizontal(LazyTable(COLUMNS), Horizontal(id="plot"), classes="grow")

    def on_mount(self) -> None:
        self.query_one(LazyTable).focus()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        if self._audit_id is not None:
            wanted = self._audit_id
            self.audit = await self.ask(lambda catalog: catalog.audits.get(wanted))
            if self.audit is None:
                self.query_one("#head", Static).update(line(("This audit is no longer stored.", "warn")))
                return
            self.before, self.after = self.audit.before, self.audit.after
            self._deltas, self._clean = deltas_of(self.audit.change), clean_of(self.audit.change)
            self._benchmarks = self.audit.benchmarks
            self.retitle(f"Audit {short(self.before.model.reference)}")
            self._show()
            return
        await self._offer()
        await self._read_scans()

    async def _offer(self) -> None:
        """Puts the stored scans into both choices; the cure of the first is proposed as the second."""
        first = self._before_id
        if first and self._after_id is None:
            self._after_id = await self.ask(lambda catalog: _cure_of(catalog, first))
        rows = await self.ask(lambda catalog: catalog.scans.list(limit=CHOICES)) or []
        options = [(line(self._words(row)), row.id) for row in rows]
        for key, value in (("before", self._before_id), ("after", self._after_id)):
            box = self.query_one(f"#{key}", Select)
            with self.prevent(Select.Changed):
                box.set_options(options)
                if value in {row.id for row in rows}:
                    box.value = value

    def _words(self, row: ScanRow) -> str:
        return f"{short(row.reference)}  {verdict(row.verdict)[0]}  {age(row.finished, self.shell.clock())}  {row.id}"

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        value = None if event.value is Select.NULL else str(event.value)
        if event.select.id == "before":
            self._before_id = value
        else:
            self._after_id = value
        in_background(self, self._read_scans, "scans")

    async def _read_scans(self) -> None:
        ids = self._before_id, self._after_id
        found = await self.ask(lambda catalog: tuple(catalog.scans.get(i) if i else None for i in ids))
        self.before, self.after = found or (None, None)
        self._deltas, self._clean, self._note, self._benchmarks = {}, None, "", ()
        if self.before and self.after:
            if (
                self.before.data.digest != self.after.data.digest
                or self.before.settings.seed != self.after.settings.seed
            ):
                self._note = (
                    "Not of the same rows and seed: the changes are not paired, and may be chance or other data."
                )
            else:
                self._note = "Pairing the rows…"
        self._show()
        if self._note == "Pairing the rows…" and self.before and self.after:
            await self._pair(self.before, self.after)

    async def _pair(self, before: Scan, after: Scan) -> None:
        answer = await self.shell.answer(compare_arguments(before.id, after.id))
        try:
            found = json.loads(answer.out) if answer.code == 0 else {}
            self._deltas, self._clean = deltas_of_json(found), clean_of_json(found)
            self._benchmarks = benchmarks_of_json(found)
            self._note = "" if answer.code == 0 else (answer.words or "The rows could not be paired.")
        except (ValueError, KeyError, TypeError):
            self._note = "The rows could not be paired."
        self._show()

    def _show(self) -> None:
        self._show_head()
        table = self.query_one(LazyTable)
        if self.before is None:
            table.show_rows([])
        else:
            pairs = join(self.before, self.after, self._deltas)
            self._pairs = {pair.key: pair for pair in pairs}
            first = clean_row(self.before, self.after, self._deltas)
            if self.writes:
                first = writer_row(self._clean, self._deltas)
            table.show_rows([first, *map(row_of, pairs)])
        self._show_plot()
        self.refresh_keys()

    @property
    def writes(self) -> bool:
        """Whether the compared models write."""
        return self.before is not None and self.before.settings.asking is not None

    def _show_head(self) -> None:
        parts: list[str | tuple[str, str]] = []
        if self.audit is not None:
            parts += [stamp(self.audit.stamp), "  "]
            for scan in (self.before, self.after):
                parts += [verdict(scan.verdict), "  →  " if scan is self.before and self.after else ""] if scan else []
            parts.append("\n")
            parts += [part for reason in self.audit.reasons for part in (("· ", "dim"), f"{reason}\n")]
            if self.audit.merge is not None:
                made = self.audit.merge
                names = ", ".join(f"{short(p.reference)} {p.weight:.2f}" for p in made.partners)
                words = f"{made.strategy}: suspect {made.suspect_weight:.2f}, {names}; keeps {made.kept:.0%}"
                parts.append((f"{words}", "dim"))
        elif self.before is None:
            parts.append(("Choose the scan before (Tab, Enter), and the one after.", "dim"))
        elif self.after is None:
            parts.append(("Choose the scan after: of the cured model, on the same rows.", "dim"))
        else:
            parts += [
                verdict(self.before.verdict),
                "  →  ",
                verdict(self.after.verdict),
                "  no stamp: only an audit gives one",
            ]
        if self._note:
            parts.append((f"\n{self._note}", "warn"))
        self.query_one("#head", Static).update(line(*parts))

    def _show_plot(self) -> None:
        if not self.has_class("-plotted") or self.before is None:
            return
        from screens.audit.change_plot import ChangePlot, Plotted

        box = self.query_one("#plot", Horizontal)
        if not box.query(ChangePlot):
            box.mount(ChangePlot())
        clean = [_side(scan.scores.cacc) if scan and scan.scores.cacc else None for scan in (self.before, self.after)]
        measures = [Plotted("CACC", *clean)] if clean[0] is not None else []
        if self._clean is not None and self.writes:
            was, now = self._clean.before, self._clean.after
            measures.append(Plotted("clean answers", (was, was, was), (now, now, now)))
        for pair in list(self._pairs.values())[:PLOTTED]:
            score = pair.before or pair.after
            if score is not None:
                name = f"{score.family} {score.variant} {score.target}"
                sides = [_side(side) if side else None for side in (pair.before, pair.after)]
                measures.append(Plotted(name if len(name) <= 24 else name[:23] + "…", *sides))
        self.call_after_refresh(lambda: self.query_one(ChangePlot).show(measures))

    @on(LazyTable.Chosen)
    def _drill(self, event: LazyTable.Chosen) -> None:
        pair = self._pairs.get(event.row.key)
        if pair is None or self.before is None:
            what = "What is asked without a trigger" if self.writes else "Clean accuracy"
            self.app.notify(f"{what} has no triggered {'prompts' if self.writes else 'rows'}.", markup=False)
            return
        score = pair.before or pair.after
        if self.after is None or score is None:
            self.app.post_message(OpenResult(self.before.id))
            return
        self.app.post_message(OpenRows(self.before, self.after, score.family, score.variant, score.target))

    def command(self) -> Arguments | None:
        if self._audit_id is not None:
            return ("report", self._audit_id)
        return compare_arguments(self._before_id, self._after_id) if self._before_id and self._after_id else None

    def why_not(self, action: str) -> str | None:
        if action == "export" and self.audit is None:
            return "Audits are exported; for two scans copy the command (y)."
        if action == "left" and not (self.audit and self.audit.left):
            return "Only an audit that has merged measures what is left."
        if action == "plot" and self.before is None:
            return "Choose a scan first."
        if action == "swap" and self.audit is not None:
            return "An audit has one direction."
        return super().why_not(action)

    def action_plot(self) -> None:
        """Shows or hides the plot."""
        if self.allowed("plot"):
            self.toggle_class("-plotted")
            self._show_plot()

    def action_left(self) -> None:
        """Lists what the cure leaves of what was found."""
        if self.allowed("left") and self.audit is not None:
            self.app.post_message(OpenResidual(self.audit))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # A key for what was not asked would take the room of another.
        return bool(self._benchmarks) if action == "benchmarks" else super().check_action(action, parameters)

    def action_benchmarks(self) -> None:
        """Benchmarks before and after, as bars."""
        if self.before is not None and self.after is not None:
            self.app.post_message(OpenBenchmarks(self.before, self.after, self._benchmarks, self._audit_id))

    def action_swap(self) -> None:
        """Turns before and after round."""
        if self.allowed("swap"):
            self._before_id, self._after_id = self._after_id, self._before_id
            in_background(self, self._load, "load")

    def action_export(self) -> None:
        """Writes the report into a file, in any format."""
        if self.allowed("export") and self._audit_id:
            self.app.post_message(OpenExport(self._audit_id, "audit"))


def _side(rate: Rate | ScoreView) -> tuple[float, float, float]:
    return rate.value, rate.low, rate.high


def _cure_of(catalog: Catalog, scan_id: str) -> str | None:
    """The last scan of a model that was merged from the scanned one, on the same rows."""
    scan = catalog.scans.get(scan_id)
    if scan is None:
        return None
    for merge in catalog.audits.merges(scan.model.digest):
        for row in catalog.scans.list(merge.digest, limit=5):
            other = catalog.scans.get(row.id)
            if merge.digest != scan.model.digest and other and other.data.digest == scan.data.digest:
                return row.id
    return None
