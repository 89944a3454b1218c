"""Partners for a model that has none: students of its own answers, then the whole audit with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from auditor.requests.arguments import Arguments, Everywhere, shown
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from screens.merge.merge import data_of
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.form import as_number, positive
from screens.widgets.page import Page
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry, Scan

STUDENTS = 2
SUSPECT_WEIGHT = 0.2
"""What the form proposes for the suspect: students at 1,000 rows undid words, sentences and syntax with it."""


class MakePartnerScreen(Page):
    """The form of an audit that makes its partners, and the command line that it stands for."""

    HELP = (
        "Where no other model of the task is at hand: students start from the model's base and learn its own answers "
        "to a part of your rows, which need no labels; the other rows judge. They learn what it does with ordinary "
        "texts, and hardly what only a rare trigger brings out. The audit merges the model with them and says what is "
        "left."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f5", "start", "Start", key_display="^s")]
    DEFAULT_CSS = """
    MakePartnerScreen #form { width: 1fr; padding: 0 1; }
    MakePartnerScreen #shown { height: auto; max-height: 5; padding: 0 1; border-top: solid $panel; color: $dim; }
    """

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__()
        self.entry = entry
        self.trail = f"Catalog › {entry.name} › Make partners"
        self._scan: Scan | None = None

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(
            Field("students", Input(str(STUDENTS), id="students", compact=True, type="integer"), hint=STUDENTS_HINT),
            Field("data", Input(placeholder="built-in sentences", id="data", compact=True), hint=DATA_HINT),
            Field("text column", Input(placeholder="found by name", id="text", compact=True)),
            Field("pair column", Input(placeholder="none", id="pair", compact=True)),
            Field("label column", Input(placeholder="found by name", id="label", compact=True)),
            Field("base model", Input(placeholder="what the model states", id="base", compact=True), hint=BASE_HINT),
            Field("recipe", Select(RECIPES, value="weight", allow_blank=False, id="recipe", compact=True)),
            Field("weight", Input(str(SUSPECT_WEIGHT), id="weight", compact=True, type="number"), hint=WEIGHT_HINT),
            Horizontal(
                Button("Start", id="start", variant="primary", compact=True),
                Button("Copy command", id="copy", compact=True),
                classes="buttons",
            ),
            id="form",
            classes="grow",
        )
        yield Static("", id="shown")

    def on_mount(self) -> None:
        self.query_one("#form").can_focus = False
        self.query_one("#students").focus()
        self._show()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        wanted = self.entry.last_scan
        self._scan = await self.ask(lambda catalog: catalog.scans.get(wanted)) if wanted else None
        if self._scan is not None:
            data = data_of(self._scan)
            named = {
                "data": data.source,
                "text": data.text_column,
                "pair": data.pair_column,
                "label": data.label_column,
            }
            for key, value in named.items():
                self.query_one(f"#{key}", Input).value = value or ""
        self._show()

    def command(self) -> Arguments:
        """The audit that the form says."""
        scan, searched = self._scan, self.query_one("#recipe", Select).value == "search"
        rescan = ScanRequest(
            name_for(self.entry),
            DataRequest(*(self._value(key) or None for key in ("data", "text", "pair", "label"))),
            suite=scan.settings.suite if scan else "full",
            samples=scan.settings.samples if scan else None,
            seed=scan.settings.seed if scan else 0,
        )
        cure = MergeRequest(
            base=self._value("base") or None,
            search=Budget() if searched else None,
            make_partner=positive(self._value("students")) or 0,
            suspect_weight=None if searched else as_number(self._value("weight")),
        )
        return cure.audit(rescan, Everywhere(self.auditor.device, policy=self.auditor.chosen.policy))

    def _value(self, key: str) -> str:
        return self.query_one(f"#{key}", Input).value.strip()

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        if positive(self._value("students")) is None:
            return "Students is a whole number above 0."
        weight = as_number(self._value("weight"))
        return None if weight is not None and 0 <= weight < 1 else "The suspect's weight lies from 0 to below 1."

    def why_not(self, action: str) -> str | None:
        return self.wrong() if action == "start" and self.is_mounted else super().why_not(action)

    @on(Input.Changed)
    @on(Select.Changed)
    def _show(self) -> None:
        if self.is_mounted:
            self.query_one("#shown", Static).update(line(shown(self.command(), self.auditor.catalog_given)))
            self.refresh_keys()

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.action_copy()

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        """Trains the students and audits the model with them, in the background, and follows it."""
        if self.allowed("start"):
            in_background(self, self._start, "start")

    async def _start(self) -> None:
        job = await self.auditor.start(self.command(), self.entry.name)
        if job is not None:
            self.app.pop_screen()
            self.auditor.open_job(job)


RECIPES = [(line("one weight for the suspect"), "weight"), (line("searched"), "search")]
STUDENTS_HINT = "Partners to train: a small classifier takes one or two minutes each on two cores. They are kept."
DATA_HINT = "Rows of its task, 3,000 at best: a third of them, 1,000 at most, teaches; the others judge."
BASE_HINT = "What the model was trained from: a name or a directory, where the model does not state it."
WEIGHT_HINT = "A smaller one removes more of a backdoor, and more of the suspect."
