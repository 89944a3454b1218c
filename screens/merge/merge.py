"""The recipe of a merge: strategy with its options, weights, where the result goes; alone or as a whole audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label, Select, Static

from auditor.merge.strategy import STRATEGIES, Strategy
from auditor.requests.arguments import Arguments
from auditor.requests.bench import PERPLEXITY, BenchRequest
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest
from auditor.settings import user_path
from screens.disk import exists
from screens.merge.rescan import data_of, rescan_of
from screens.models.describe import weight
from screens.models.kinds import base_of, given_base, on_base
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.form import as_number, option_text, words_of, wrong_set
from screens.widgets.form_page import FormPage
from screens.words import line, reflow, size

if TYPE_CHECKING:
    from store.records import CatalogEntry, Scan

SUSPECT_WEIGHT = 0.2
"""What the form proposes for the suspect; the partners share the rest evenly."""


class MergeScreen(FormPage):
    """The form of a merge, and the command line that it stands for."""

    HELP = (
        "A recipe: how the models are merged, with which weights, and where the result goes. A smaller weight of the "
        "suspect removes more of a backdoor, and more of the suspect. An audit runs the whole loop: scan, merge, "
        "rescan on the same rows, comparison and stamp."
    )
    DEFAULT_CSS = """
    MergeScreen #weights, MergeScreen #options { height: auto; }
    MergeScreen #weights Input { width: 8; }
    MergeScreen #weights Label.name { width: 1fr; color: $foreground; }
    """

    def __init__(self, entry: CatalogEntry, partners: tuple[CatalogEntry, ...]) -> None:
        super().__init__(entry, f"Merge with {len(partners)}")
        self.partners = partners
        profiles = (e.profile for e in (entry, *partners))
        self.adapter = next((profile for profile in profiles if on_base(profile)), None)
        """The first adapter among the models; None where all are whole."""
        self._scan: Scan | None = None
        self._free: int | None = None

    def body(self) -> Iterable[Widget]:
        strategies = [(line(f"{s.name}: {s.title}"), s.name) for s in STRATEGIES.values()]
        yield Horizontal(
            VerticalScroll(
                Field("then", Select(THEN, value="audit", allow_blank=False, id="then", compact=True)),
                Field("strategy", Select(strategies, value="wag", allow_blank=False, id="strategy", compact=True)),
                Vertical(id="options"),
                Vertical(*self._weights(), id="weights"),
                Static("", id="shares", classes="note"),
                Field(
                    "base model",
                    Input(
                        base_of(self.adapter) if self.adapter is not None else "",
                        placeholder="this strategy takes none",
                        id="base",
                        compact=True,
                    ),
                    name="base-field",
                    hint=BASE_HINT,
                ),
                Field("output", Input(str(self._default_output()), id="output", compact=True), hint=OUTPUT_HINT),
                Static("", id="room", classes="note"),
                Field("benchmarks", Input(placeholder="none", id="bench", compact=True), hint=BENCH_HINT),
                Field("their rows", Input(placeholder="a directory", id="bench-data", compact=True), hint=ROWS_HINT),
                self.buttons("Start"),
                id="form",
            ),
            VerticalScroll(Static("", id="doc-words"), id="doc"),
            classes="grow",
        )
        yield Static("", id="shown")

    def _weights(self) -> list[Horizontal]:
        rest = (1 - SUSPECT_WEIGHT) / len(self.partners)
        lines = []
        for number, entry in enumerate((self.entry, *self.partners)):
            value = f"{SUSPECT_WEIGHT if number == 0 else rest:.3g}"
            role = "suspect" if number == 0 else f"partner {number}"
            box = Input(value, id=f"weight-{number}", compact=True, type="number")
            field = Horizontal(Label(line((f"{role:<13}", "dim"))), box, Label(line(f" {entry.name}"), classes="name"))
            field.styles.height = 1
            lines.append(field)
        return lines

    def _default_output(self) -> Path:
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.entry.name)[:NAME_LENGTH]
        path, number = self.shell.home / "merged" / f"{name}-merged", 2
        while exists(path):
            path = path.with_name(f"{name}-merged-{number}")
            number += 1
        return path

    def on_mount(self) -> None:
        self.query_one("#then").focus()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        wanted = self.entry.last_scan
        if wanted:
            self._scan = await self.ask(lambda catalog: catalog.scans.get(wanted))
        output = self.typed("output")
        self._free = await self.shell.library.aside(lambda: self.shell.free_space(Path(output)))
        await self._show_options()
        self.show_choice()

    @property
    def strategy(self) -> Strategy:
        """The chosen one."""
        return STRATEGIES[str(self.query_one("#strategy", Select).value)]

    @property
    def base(self) -> str | None:
        """What the command must be told of the base: the one that the strategy works on, or that adapters stand on."""
        typed = self.typed("base")
        searched = self.query_one("#then", Select).value == "search"
        if self.adapter is None:
            return (typed or None) if self.strategy.needs_base and not searched else None
        # Adapters are merged as such; with a whole model the base must be said.
        mixed = not all(on_base(entry.profile) for entry in (self.entry, *self.partners))
        return (typed or None) if mixed or self.strategy.needs_base else given_base(self.adapter, typed)

    def command(self) -> Arguments:
        strategy, model, then = self.strategy, name_for(self.entry), self.query_one("#then", Select).value
        partners = tuple(name_for(p) for p in self.partners)
        output = Path(self.typed("output")) if self.typed("output") else None
        rescan = rescan_of(model, data_of(self._scan) if self._scan else DataRequest(), self._scan)
        rescan = replace(rescan, bench=BenchRequest(self._tasks(), self.typed("bench-data") or None))
        if then == "search":
            return MergeRequest(partners, base=self.base, output=output, search=Budget()).audit(rescan, self.everywhere)
        asked = MergeRequest(
            partners,
            strategy.name,
            weights=tuple(as_number(box.value) or 0.0 for box in self.query("#weights Input").results(Input)),
            base=self.base,
            options=self._options(),
            output=output,
        )
        if then == "merge":
            return asked.arguments(model, self.everywhere)
        return asked.audit(rescan, self.everywhere)

    def _tasks(self) -> tuple[str, ...]:
        """The benchmarks that are named."""
        return words_of(self.typed("bench"))

    def _options(self) -> dict[str, str]:
        strategy = self.strategy
        boxes = self.query("#options Input").results(Input)
        typed = {str(box.id).removeprefix("option-"): box.value.strip() for box in boxes}
        return {
            key: typed[key]
            for key, value in strategy.options.items()
            if typed.get(key) and typed[key] != option_text(value)
        }

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        weights = [as_number(box.value) for box in self.query("#weights Input").results(Input)]
        if any(w is None or w < 0 for w in weights) or not sum(w or 0 for w in weights):
            return "Weights are numbers of 0 or more, and not all 0."
        if self.strategy.needs_base and not self.typed("base"):
            return f"{self.strategy.title} needs the base model that all were made from."
        if self.adapter is not None and not self.typed("base"):
            return "An adapter is merged on its base: name the model that it was trained on."
        if not self.typed("output"):
            return "Name a directory for the result."
        if exists(user_path(self.typed("output"))):
            return "The output exists already: a merged directory is never overwritten."
        if self._tasks() and self.query_one("#then", Select).value == "merge":
            return "Benchmarks belong to an audit: a merge alone asks nothing."
        if PERPLEXITY in self._tasks():
            return "Perplexity needs a text: copy the command, and give --bench-text."
        options = {self.strategy.name: self.strategy.options}
        entries = (f"{self.strategy.name}.{key}={value}" for key, value in self._options().items())
        return next((w for entry in entries if (w := wrong_set(entry, options))), None)

    @on(Select.Changed, "#strategy")
    async def _show_options(self) -> None:
        strategy = self.strategy
        box = self.query_one("#options", Vertical)
        await box.remove_children()
        await box.mount(
            *[
                Field(key, Input(option_text(value), id=f"option-{key}", compact=True))
                for key, value in strategy.options.items()
            ]
        )
        self.query_one("#base-field").display = strategy.needs_base or self.adapter is not None
        self.query_one("#doc-words", Static).update(_strategy_words(strategy))

    def show_choice(self) -> None:
        weights = [as_number(box.value) or 0.0 for box in self.query("#weights Input").results(Input)]
        total = sum(weights) or 1.0
        shares = "  ".join(f"{w / total:.0%}" for w in weights)
        told = f"shares {shares}; the first is the suspect's"
        if self.query_one("#then", Select).value == "search":
            told = "the search finds a weight for each kind of module; strategy and weights here are not used"
        self.query_one("#shares", Static).update(line((told, "dim")))
        need = self._written()
        free = "unknown" if self._free is None else size(self._free)
        tone = "bad" if self._free is not None and self._free < need else "dim"
        self.query_one("#room", Static).update(line((f"about {size(need)} are written, {free} free there", tone)))
        super().show_choice()

    def _written(self) -> int:
        """Bytes that the merged model takes: adapters of one base become an adapter of all their ranks together."""
        profiles = [entry.profile for entry in (self.entry, *self.partners)]
        if not all(map(on_base, profiles)):
            return weight(self.entry.profile)
        return sum(weight(profile.parts[0] if profile.parts else profile) for profile in profiles)


THEN = [
    (line("audit: rescan and compare too"), "audit"),
    (line("audit with a searched recipe"), "search"),
    (line("merge only"), "merge"),
]
NAME_LENGTH = 60
"""Characters of the suspect's name in the proposed directory's: file systems allow 255 bytes in all."""
BASE_HINT = "What the models were made from: task vectors are taken from it, and adapters stand on it."
BENCH_HINT = "Asked before and after, with blanks between: tasks of `auditor tasks`; of a classifier, labelled files."
ROWS_HINT = "Where the rows of the tasks lie, one file a task: NAME.jsonl."
OUTPUT_HINT = "A directory that does not exist yet: it appears whole or not at all."


def _strategy_words(strategy: Strategy) -> Content:
    parts: list[str | tuple[str, str]] = [
        (f"{strategy.title}\n", "bold"),
        (f"{strategy.reference}\n\n", "dim"),
        reflow(strategy.doc),
    ]
    if strategy.needs_base:
        parts.append(("\n\nworks on task vectors: the base model is needed", "warn"))
    parts.append(("\n\noptions\n", "accent"))
    parts += [f"{key} = {option_text(value)}\n" for key, value in strategy.options.items()] or ["none\n"]
    return line(*parts)
