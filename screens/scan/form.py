"""What the forms of scans share: the suite, its families with their options, and how many rows or prompts are asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from auditor.requests.arguments import Arguments
from auditor.requests.scan import ScanRequest
from probes.family import CLASSIFIER, Family, families_for
from probes.suite import SAMPLES, suite_families, suite_variants
from screens.models.kinds import base_of, given_base, on_base
from screens.models.naming import name_for
from screens.widgets.field import Field
from screens.widgets.form import option_text, positive, read_entries, words_of, wrong_set
from screens.widgets.form_page import FormPage
from screens.widgets.lazy_table import Column, LazyTable, Row
from screens.words import line, reflow

FAMILY_COLUMNS = (Column("family", 12), Column("title", 12, 1, grows=True), Column("group", 8, 2))
FRESH = [(line("reuse stored answers"), "stored"), (line("ask everything again"), "fresh")]
SETS_HINT = "Options of families, NAME.option=value with blanks between; a list's entries with | between."
BASE_HINT = "What the adapter stands on: a name or a directory. Its files name the one that is shown."


class ScanForm(FormPage):
    """The form of a scan, and the command line that it stands for.

    Subclasses say what kind of model is asked (`audience`), what of the form is theirs (`own_fields`,
    `further_fields`), what it asks for (`request`), and what that buys (`buys`).
    """

    audience: ClassVar[str] = CLASSIFIER
    DEFAULT_CSS = """
    ScanForm #doc { width: 36%; }
    ScanForm #shown { max-height: 4; }
    """

    def body(self) -> Iterable[Widget]:
        suites = [(line(name), name) for name in SAMPLES]
        yield Horizontal(
            VerticalScroll(
                Field("suite", Select(suites, value="quick", allow_blank=False, id="suite", compact=True)),
                LazyTable(FAMILY_COLUMNS, markable=True, name="families"),
                Field("options", Input(placeholder="badnet.inserts=3", id="sets", compact=True), hint=SETS_HINT),
                Field("samples", Input(placeholder="the suite's own", id="samples", compact=True, type="integer")),
                Static("", id="buys", classes="note"),
                *self.own_fields(),
                Field("references", Input(placeholder="models with blanks between", id="references", compact=True)),
                *self.further_fields(),
                *self._base_field(),
                Field("seed", Input("0", id="seed", compact=True, type="integer")),
                Field("answers", Select(FRESH, value="stored", allow_blank=False, id="fresh", compact=True)),
                self.buttons("Start scan"),
                id="form",
            ),
            VerticalScroll(Static("", id="doc-words"), id="doc"),
            classes="grow",
        )
        yield Static("", id="shown")

    def own_fields(self) -> Iterable[Field]:
        """Fields about what is asked."""
        return ()

    def further_fields(self) -> Iterable[Field]:
        """Fields about what it is compared with."""
        return ()

    def _base_field(self) -> Iterable[Field]:
        profile = self.entry.profile
        if on_base(profile):
            box = Input(base_of(profile), placeholder="name the base", id="base", compact=True)
            yield Field("base model", box, hint=BASE_HINT)

    def on_mount(self) -> None:
        self.query_one("#suite").focus()
        table = self.query_one(LazyTable)
        table.marks = set(suite_families(audience=self.audience))
        known = families_for(self.audience)
        listed = sorted(known.values(), key=lambda f: (f.name not in table.marks, f.name))
        table.show_rows([Row(f.name, (f.name, f.title, (f.group, "dim"))) for f in listed])
        table.styles.height = min(len(known), 7) + 1
        self.show_choice()

    def command(self) -> Arguments:
        return self.request().arguments(self.everywhere)

    def request(self) -> ScanRequest:
        """What the form says, as far as all models are asked it."""
        return ScanRequest(
            model=name_for(self.entry),
            suite=self.suite,
            families=self.families,
            overrides=self.overrides,
            samples=positive(self.typed("samples")),
            references=words_of(self.typed("references")),
            base=self.base,
            seed=positive(self.typed("seed")) or 0,
            fresh=self.query_one("#fresh", Select).value == "fresh",
        )

    def buys(self) -> str:
        """What the chosen rows cost, and what interval they buy."""
        return ""

    def selected(self, key: str) -> str | None:
        """What is chosen in a list; None where nothing is."""
        value = self.query_one(f"#{key}", Select).value
        return None if value is Select.NULL else str(value)

    @property
    def suite(self) -> str:
        """The chosen one."""
        return str(self.query_one("#suite", Select).value)

    @property
    def base(self) -> str | None:
        """The base of an adapter, where a command must be told it."""
        profile = self.entry.profile
        return given_base(profile, self.typed("base")) if on_base(profile) else None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The families that are marked."""
        marks = self.query_one(LazyTable).marks
        return tuple(name for name in families_for(self.audience) if name in marks)

    @property
    def families(self) -> tuple[str, ...]:
        """The families to name: none where they are those that the suite fires anyway."""
        chosen = self.chosen
        return () if set(chosen) == set(suite_families(audience=self.audience)) else chosen

    @property
    def overrides(self) -> dict[str, dict[str, str]]:
        """The options by family."""
        return read_entries(words_of(self.typed("sets")))

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        chosen = self.chosen
        if not chosen:
            return "Choose at least one attack family."
        if self.typed("samples") and positive(self.typed("samples")) is None:
            return "Samples is a whole number above 0."
        if on_base(self.entry.profile) and not self.typed("base"):
            return "An adapter is asked on its base: name the model that it was trained on."
        known = families_for(self.audience)
        options = {name: known[name].options for name in chosen}
        entries = words_of(self.typed("sets"))
        given = {entry.partition("=")[0] for entry in entries}
        for name in chosen:
            for key in known[name].needs:
                if f"{name}.{key}" not in given:
                    return f"{name} needs an option: {name}.{key}=…"
        return next((w for entry in entries if (w := wrong_set(entry, options))), None)

    @on(LazyTable.Marked)
    def show_choice(self) -> None:
        self.query_one("#buys", Static).update(line((self.buys(), "dim")))
        super().show_choice()

    @on(LazyTable.Highlighted)
    def _highlight(self, event: LazyTable.Highlighted) -> None:
        if event.row is not None:
            family = families_for(self.audience)[event.row.key]
            self.query_one("#doc-words", Static).update(_family_words(family))

    @on(LazyTable.Chosen)
    def _toggle(self, event: LazyTable.Chosen) -> None:
        self.query_one(LazyTable).toggle(event.row.key)


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
