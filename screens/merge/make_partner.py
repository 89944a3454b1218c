"""Partners for a model that has none: students of its own answers, then the whole audit with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from auditor.requests.arguments import Arguments
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest
from screens.merge.rescan import data_of, rescan_of
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.form import as_number, positive
from screens.widgets.form_page import FormPage
from screens.words import line

if TYPE_CHECKING:
    from store.records import CatalogEntry, Scan

STUDENTS = 2
SUSPECT_WEIGHT = 0.2
"""What the form proposes for the suspect: students at 1,000 rows undid words, sentences and syntax with it."""


class MakePartnerScreen(FormPage):
    """The form of an audit that makes its partners, and the command line that it stands for."""

    HELP = (
        "Where no other model of the task is at hand: students start from the model's base and learn its own answers "
        "to a part of your rows, which need no labels; the other rows judge. They learn what it does with ordinary "
        "texts, and hardly what only a rare trigger brings out. The audit merges the model with them and says what is "
        "left."
    )

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__(entry, "Make partners")
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
            self.buttons("Start"),
            id="form",
            classes="grow",
        )
        yield Static("", id="shown")

    def on_mount(self) -> None:
        self.query_one("#students").focus()
        self.show_choice()
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
        self.show_choice()

    def command(self) -> Arguments:
        searched = self.query_one("#recipe", Select).value == "search"
        rows = DataRequest(*(self.typed(key) or None for key in ("data", "text", "pair", "label")))
        cure = MergeRequest(
            base=self.typed("base") or None,
            search=Budget() if searched else None,
            make_partner=positive(self.typed("students")) or 0,
            suspect_weight=None if searched else as_number(self.typed("weight")),
        )
        return cure.audit(rescan_of(name_for(self.entry), rows, self._scan), self.everywhere)

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        if positive(self.typed("students")) is None:
            return "Students is a whole number above 0."
        weight = as_number(self.typed("weight"))
        return None if weight is not None and 0 <= weight < 1 else "The suspect's weight lies from 0 to below 1."


RECIPES = [(line("one weight for the suspect"), "weight"), (line("searched"), "search")]
STUDENTS_HINT = "Partners to train: a small classifier takes one or two minutes each on two cores. They are kept."
DATA_HINT = "Rows of its task, 3,000 at best: a third of them, 1,000 at most, teaches; the others judge."
BASE_HINT = "What the model was trained from: a name or a directory, where the model does not state it."
WEIGHT_HINT = "A smaller one removes more of a backdoor, and more of the suspect."
