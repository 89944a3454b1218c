"""Choose what a scan asks: suite, families with their options, rows and what interval they buy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from auditor.requests.arguments import Arguments, Everywhere, shown
from auditor.requests.scan import DataRequest, ScanRequest
from probes.family import FAMILIES, Family
from probes.suite import SAMPLES, suite_families, suite_variants
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.form import option_text, positive, read_entries, words_of, wrong_set
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.widgets.page import Page
from screens.words import half_width, line, reflow

if TYPE_CHECKING:
    from store.records import CatalogEntry

FAMILY_COLUMNS = (Column("family", 12), Column("title", 12, 1, grows=True), Column("group", 8, 2))
FRESH = [(line("go on from stored ones"), "stored"), (line("ask everything afresh"), "fresh")]
BUILT_IN = 400
"""Rows of a built-in corpus."""


class ScanScreen(Page):
    """The form of a scan, and the command line that it stands for."""

    HELP = (
        "Choose what is asked. The quick suite fires each family's main variants, the full one all. More samples buy a "
        "narrower interval. Your own labelled rows (data) are better than the built-in ones: clean accuracy needs them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f5", "start", "Start", key_display="^s")]
    DEFAULT_CSS = """
    ScanScreen #form { width: 1fr; padding: 0 1; }
    ScanScreen #doc { width: 36%; border-left: solid $panel; padding: 0 1; }
    ScanScreen.-narrow #doc { display: none; }
    ScanScreen #shown { height: auto; max-height: 4; padding: 0 1; border-top: solid $panel; color: $dim; }
    """

    def __init__(self, entry: CatalogEntry, data: DataRequest | None = None) -> None:
        super().__init__()
        self.entry = entry
        self._data = data or DataRequest()
        self.trail = f"Catalog › {entry.name} › Scan"

    def body(self) -> Iterable[Widget]:
        suites = [(line(name), name) for name in SAMPLES]
        labels = [(line(name), name) for name in self.entry.profile.labels]
        data = self._data
        yield Horizontal(
            VerticalScroll(
                Field("suite", Select(suites, value="quick", allow_blank=False, id="suite", compact=True)),
                LazyTable(FAMILY_COLUMNS, markable=True, name="families"),
                Field("options", Input(placeholder="badnet.inserts=3", id="sets", compact=True), hint=SETS_HINT),
                Field("samples", Input(placeholder="the suite's own", id="samples", compact=True, type="integer")),
                Static("", id="buys", classes="note"),
                Field(
                    "data",
                    Input(data.source or "", placeholder="built-in sentences", id="data", compact=True),
                    hint=DATA_HINT,
                ),
                Field(
                    "text column", Input(data.text_column or "", placeholder="found by name", id="text", compact=True)
                ),
                Field("pair column", Input(data.pair_column or "", placeholder="none", id="pair", compact=True)),
                Field(
                    "label column",
                    Input(data.label_column or "", placeholder="found by name", id="label", compact=True),
                ),
                Field("target", Select(labels, prompt="every label", id="target", compact=True)),
                Field("references", Input(placeholder="models with blanks between", id="references", compact=True)),
                Field(
                    "students",
                    Input(placeholder="none", id="students", compact=True, type="integer"),
                    hint=STUDENTS_HINT,
                ),
                Field("seed", Input("0", id="seed", compact=True, type="integer")),
                Field("answers", Select(FRESH, value="stored", allow_blank=False, id="fresh", compact=True)),
                Horizontal(
                    Button("Start scan", id="start", variant="primary", compact=True),
                    Button("Copy command", id="copy", compact=True),
                    classes="buttons",
                ),
                id="form",
            ),
            VerticalScroll(Static("", id="doc-words"), id="doc"),
            classes="grow",
        )
        yield Static("", id="shown")

    def on_mount(self) -> None:
        self.query_one("#form").can_focus = False
        self.query_one("#suite").focus()
        table = self.query_one(LazyTable)
        table.marks = set(suite_families())
        listed = sorted(FAMILIES.values(), key=lambda f: (f.name not in table.marks, f.name))
        table.show_rows([Row(f.name, (f.name, f.title, (f.group, "dim"))) for f in listed])
        table.styles.height = min(len(FAMILIES), 7) + 1
        self._show()

    def choice(self) -> ScanRequest:
        """What the form says."""
        families = self._families()
        target = self.query_one("#target", Select).value
        return ScanRequest(
            model=name_for(self.entry),
            data=DataRequest(*(self._value(key) or None for key in ("data", "text", "pair", "label"))),
            suite=str(self.query_one("#suite", Select).value),
            families=() if set(families) == set(suite_families()) else families,
            overrides=read_entries(words_of(self._value("sets"))),
            samples=positive(self._value("samples")),
            target=None if target is Select.NULL else str(target),
            references=words_of(self._value("references")),
            students=positive(self._value("students")) or 0,
            seed=positive(self._value("seed")) or 0,
            fresh=self.query_one("#fresh", Select).value == "fresh",
        )

    def _families(self) -> tuple[str, ...]:
        marks = self.query_one(LazyTable).marks
        return tuple(name for name in FAMILIES if name in marks)

    def _value(self, key: str) -> str:
        return self.query_one(f"#{key}", Input).value.strip()

    def command(self) -> Arguments:
        return self.choice().arguments(Everywhere(self.auditor.device, policy=self.auditor.chosen.policy))

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        chosen = self._families()
        if not chosen:
            return "Choose at least one attack family."
        if self._value("samples") and positive(self._value("samples")) is None:
            return "Samples is a whole number above 0."
        if self._value("students") not in ("", "0") and positive(self._value("students")) is None:
            return "Students is a whole number of 0 or more."
        options = {name: FAMILIES[name].options for name in chosen}
        entries = words_of(self._value("sets"))
        given = {entry.partition("=")[0] for entry in entries}
        for name in chosen:
            for key in FAMILIES[name].needs:
                if f"{name}.{key}" not in given:
                    return f"{name} needs an option: {name}.{key}=…"
        return next((w for entry in entries if (w := wrong_set(entry, options))), None)

    def why_not(self, action: str) -> str | None:
        return self.wrong() if action == "start" and self.is_mounted else super().why_not(action)

    @on(Input.Changed)
    @on(Select.Changed)
    @on(LazyTable.Marked)
    def _show(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#shown", Static).update(line(shown(self.command(), self.auditor.catalog_given)))
        self.query_one("#buys", Static).update(line((self._buys(), "dim")))
        self.refresh_keys()

    def _buys(self) -> str:
        suite = str(self.query_one("#suite", Select).value)
        rows = positive(self._value("samples")) or SAMPLES[suite]
        known = "" if self._value("data") else f" (built-in: at most {BUILT_IN})"
        rows = rows if self._value("data") else min(rows, BUILT_IN)
        labels = max(1, len(self.entry.profile.labels))
        each = max(1, round(rows * (labels - 1) / labels)) if labels > 1 else rows
        short = "; fewer than 100 a target are not judged" if each < 100 else ""
        half = half_width(each) * 100
        return f"{rows} rows{known}, about {each} a target: ASR to ±{half:.1f} points; ×4 rows halve that{short}"

    @on(LazyTable.Highlighted)
    def _highlight(self, event: LazyTable.Highlighted) -> None:
        if event.row is not None:
            self._explain(event.row.key)

    @on(LazyTable.Chosen)
    def _toggle(self, event: LazyTable.Chosen) -> None:
        self.query_one(LazyTable).toggle(event.row.key)

    def _explain(self, name: str) -> None:
        self.query_one("#doc-words", Static).update(_family_words(FAMILIES[name]))

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.action_copy()

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        """Starts the scan in the background and follows it."""
        if self.allowed("start"):
            in_background(self, self._start, "start")

    async def _start(self) -> None:
        job = await self.auditor.start(self.command(), self.entry.name)
        if job is not None:
            self.app.pop_screen()
            self.auditor.open_job(job)


DATA_HINT = (
    "csv, tsv, jsonl, parquet, or hub:dataset. Labels by name or index; with gold labels the clean accuracy is known."
)
STUDENTS_HINT = "Where no honest model is at hand: trained from its own answers to a third of the rows. 2 is usual."
SETS_HINT = "Options of families, NAME.option=value with blanks between; a list's entries with | between."


def _family_words(family: Family) -> Content:
    parts: list[str | tuple[str, str]] = [
        (f"{family.title}\n", "bold"),
        (f"{family.reference}, group {family.group}\n\n", "dim"),
    ]
    parts.append(f"{reflow(family.doc)}\n")
    for suite in SAMPLES:
        parts += [(f"\n{suite:<6}", "accent"), ", ".join(suite_variants(family, suite, asked=True))]
    if family.referenced:
        named = ", ".join(family.referenced)
        parts += [
            ("\n\nhas no control that honest models answer alike\n", "accent"),
            f"{named}: {_without_control(family)}",
        ]
    parts.append(("\n\noptions\n", "accent"))
    for key, value in family.options.items():
        parts += [f"{family.name}.{key}=", (f"{option_text(value)}\n", "dim")]
    return line(*parts)


def _without_control(family: Family) -> str:
    if all(family.decided_by_kind(variant) for variant in family.referenced):
        return "without two references, tried alone first and in full where it moves rows"
    return "fired with two or more references"
