"""Choose what a scan asks: suite, families with their options, rows and what interval they buy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from auditor.requests.arguments import Arguments
from auditor.requests.scan import DataRequest, ScanRequest
from probes.family import CLASSIFIER, FAMILIES, Family, families_for
from probes.suite import SAMPLES, suite_families, suite_variants
from screens.models.naming import name_for
from screens.widgets.field import Field
from screens.widgets.form import option_text, positive, read_entries, words_of, wrong_set
from screens.widgets.form_page import FormPage
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.words import half_width, line, reflow

if TYPE_CHECKING:
    from store.records import CatalogEntry

FAMILY_COLUMNS = (Column("family", 12), Column("title", 12, 1, grows=True), Column("group", 8, 2))
FRESH = [(line("reuse stored answers"), "stored"), (line("ask everything again"), "fresh")]
BUILT_IN = 400
"""Rows of a built-in corpus."""


class ScanScreen(FormPage):
    """The form of a scan, and the command line that it stands for."""

    HELP = (
        "Choose what is asked. The quick suite fires each family's main variants, the full one all. More samples buy a "
        "narrower interval. Your own labelled rows (data) are better than the built-in ones: clean accuracy needs them."
    )
    DEFAULT_CSS = """
    ScanScreen #doc { width: 36%; }
    ScanScreen #shown { max-height: 4; }
    """

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__(entry, "Scan")

    def body(self) -> Iterable[Widget]:
        suites = [(line(name), name) for name in SAMPLES]
        labels = [(line(name), name) for name in self.entry.profile.labels]
        yield Horizontal(
            VerticalScroll(
                Field("suite", Select(suites, value="quick", allow_blank=False, id="suite", compact=True)),
                LazyTable(FAMILY_COLUMNS, markable=True, name="families"),
                Field("options", Input(placeholder="badnet.inserts=3", id="sets", compact=True), hint=SETS_HINT),
                Field("samples", Input(placeholder="the suite's own", id="samples", compact=True, type="integer")),
                Static("", id="buys", classes="note"),
                Field(
                    "data",
                    Input(placeholder="built-in sentences", id="data", compact=True),
                    hint=DATA_HINT,
                ),
                Field("text column", Input(placeholder="found by name", id="text", compact=True)),
                Field("pair column", Input(placeholder="none", id="pair", compact=True)),
                Field("label column", Input(placeholder="found by name", id="label", compact=True)),
                Field("target", Select(labels, prompt="every label", id="target", compact=True)),
                Field("references", Input(placeholder="models with blanks between", id="references", compact=True)),
                Field(
                    "students",
                    Input(placeholder="none", id="students", compact=True, type="integer"),
                    hint=STUDENTS_HINT,
                ),
                Field("seed", Input("0", id="seed", compact=True, type="integer")),
                Field("answers", Select(FRESH, value="stored", allow_blank=False, id="fresh", compact=True)),
                self.buttons("Start scan"),
                id="form",
            ),
            VerticalScroll(Static("", id="doc-words"), id="doc"),
            classes="grow",
        )
        yield Static("", id="shown")

    def on_mount(self) -> None:
        self.query_one("#suite").focus()
        table = self.query_one(LazyTable)
        table.marks = set(suite_families())
        listed = sorted(families_for(CLASSIFIER).values(), key=lambda f: (f.name not in table.marks, f.name))
        table.show_rows([Row(f.name, (f.name, f.title, (f.group, "dim"))) for f in listed])
        table.styles.height = min(len(listed), 7) + 1
        self.show_choice()

    def command(self) -> Arguments:
        return self.request().arguments(self.everywhere)

    def request(self) -> ScanRequest:
        """What the form says."""
        families = self._families()
        target = self.query_one("#target", Select).value
        return ScanRequest(
            model=name_for(self.entry),
            data=DataRequest(*(self.typed(key) or None for key in ("data", "text", "pair", "label"))),
            suite=str(self.query_one("#suite", Select).value),
            families=() if set(families) == set(suite_families()) else families,
            overrides=read_entries(words_of(self.typed("sets"))),
            samples=positive(self.typed("samples")),
            target=None if target is Select.NULL else str(target),
            references=words_of(self.typed("references")),
            students=positive(self.typed("students")) or 0,
            seed=positive(self.typed("seed")) or 0,
            fresh=self.query_one("#fresh", Select).value == "fresh",
        )

    def _families(self) -> tuple[str, ...]:
        marks = self.query_one(LazyTable).marks
        return tuple(name for name in families_for(CLASSIFIER) if name in marks)

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        chosen = self._families()
        if not chosen:
            return "Choose at least one attack family."
        if self.typed("samples") and positive(self.typed("samples")) is None:
            return "Samples is a whole number above 0."
        if self.typed("students") not in ("", "0") and positive(self.typed("students")) is None:
            return "Students is a whole number of 0 or more."
        options = {name: FAMILIES[name].options for name in chosen}
        entries = words_of(self.typed("sets"))
        given = {entry.partition("=")[0] for entry in entries}
        for name in chosen:
            for key in FAMILIES[name].needs:
                if f"{name}.{key}" not in given:
                    return f"{name} needs an option: {name}.{key}=…"
        return next((w for entry in entries if (w := wrong_set(entry, options))), None)

    @on(LazyTable.Marked)
    def show_choice(self) -> None:
        self.query_one("#buys", Static).update(line((self._buys(), "dim")))
        super().show_choice()

    def _buys(self) -> str:
        suite = str(self.query_one("#suite", Select).value)
        rows = positive(self.typed("samples")) or SAMPLES[suite]
        known = "" if self.typed("data") else f" (built-in: at most {BUILT_IN})"
        rows = rows if self.typed("data") else min(rows, BUILT_IN)
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
