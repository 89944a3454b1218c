"""The recipe of a merge: strategy with its options, weights, where the result goes; alone or as a whole audit."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, Static

from auditor.merge.strategy import STRATEGIES, Strategy
from auditor.requests.arguments import Arguments, Everywhere, shown
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.settings import user_path
from screens.disk import exists
from screens.models.describe import weight
from screens.models.naming import name_for
from screens.widgets.background import in_background
from screens.widgets.field import Field
from screens.widgets.form import as_number, option_text, wrong_set
from screens.widgets.page import Page
from screens.words import line, reflow, size

if TYPE_CHECKING:
    from store.records import CatalogEntry, Scan

SUSPECT_WEIGHT = 0.2
"""What the form proposes for the suspect; the partners share the rest evenly."""


class MergeScreen(Page):
    """The form of a merge, and the command line that it stands for."""

    HELP = (
        "A recipe: how the models are merged, with which weights, and where the result goes. A smaller weight of the "
        "suspect removes more of a backdoor, and more of the suspect. An audit runs the whole loop: scan, merge, "
        "rescan on the same rows, comparison and stamp."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f5", "start", "Start", key_display="^s")]
    DEFAULT_CSS = """
    MergeScreen #form { width: 1fr; padding: 0 1; }
    MergeScreen #doc { width: 34%; border-left: solid $panel; padding: 0 1; }
    MergeScreen.-narrow #doc { display: none; }
    MergeScreen #weights, MergeScreen #options { height: auto; }
    MergeScreen #weights Input { width: 8; }
    MergeScreen #weights Label.name { width: 1fr; color: $foreground; }
    MergeScreen #shown { height: auto; max-height: 5; padding: 0 1; border-top: solid $panel; color: $dim; }
    """

    def __init__(self, entry: CatalogEntry, partners: tuple[CatalogEntry, ...]) -> None:
        super().__init__()
        self.entry = entry
        self.partners = partners
        self.trail = f"Catalog › {entry.name} › Merge with {len(partners)}"
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
                    Input(placeholder="this strategy takes none", id="base", compact=True),
                    name="base-field",
                ),
                Field("output", Input(str(self._default_output()), id="output", compact=True), hint=OUTPUT_HINT),
                Static("", id="room", classes="note"),
                Horizontal(
                    Button("Start", id="start", variant="primary", compact=True),
                    Button("Copy command", id="copy", compact=True),
                    classes="buttons",
                ),
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
        path, number = self.auditor.home / "merged" / f"{name}-merged", 2
        while exists(path):
            path = path.with_name(f"{name}-merged-{number}")
            number += 1
        return path

    def on_mount(self) -> None:
        self.query_one("#form").can_focus = False
        self.query_one("#then").focus()
        in_background(self, self._load, "load")

    async def _load(self) -> None:
        wanted = self.entry.last_scan
        if wanted:
            self._scan = await self.ask(lambda catalog: catalog.scans.get(wanted))
        output = self._output
        self._free = await self.auditor.library.aside(lambda: self.auditor.free_space(Path(output)))
        await self._show_options()
        self._show()

    @property
    def strategy(self) -> Strategy:
        """The chosen one."""
        return STRATEGIES[str(self.query_one("#strategy", Select).value)]

    @property
    def _output(self) -> str:
        return self.query_one("#output", Input).value.strip()

    def command(self) -> Arguments:
        """The merge or the audit that the form says."""
        strategy, then = self.strategy, self.query_one("#then", Select).value
        everywhere = Everywhere(self.auditor.device, policy=self.auditor.chosen.policy)
        partners = tuple(name_for(p) for p in self.partners)
        output = Path(self._output) if self._output else None
        if then == "search":
            return MergeRequest(partners, output=output, search=Budget()).audit(self._rescan(), everywhere)
        base = self.query_one("#base", Input).value.strip()
        weights = (as_number(box.value.strip() or "0") for box in self.query("#weights Input").results(Input))
        asked = MergeRequest(
            partners,
            strategy.name,
            weights=tuple(weight or 0.0 for weight in weights),
            base=base if strategy.needs_base and base else None,
            options=self._options(),
            output=output,
        )
        if then == "merge":
            return asked.arguments(name_for(self.entry), everywhere)
        return asked.audit(self._rescan(), everywhere)

    def _options(self) -> dict[str, str]:
        strategy = self.strategy
        boxes = self.query("#options Input").results(Input)
        typed = {str(box.id).removeprefix("option-"): box.value.strip() for box in boxes}
        return {
            key: typed[key]
            for key, value in strategy.options.items()
            if typed.get(key) and typed[key] != option_text(value)
        }

    def _rescan(self) -> ScanRequest:
        """The rows of the last scan again, so that its stored answers are used."""
        scan = self._scan
        if scan is None:
            return ScanRequest(name_for(self.entry), suite="full")
        return ScanRequest(
            name_for(self.entry),
            data_of(scan),
            suite=scan.settings.suite,
            samples=scan.settings.samples,
            seed=scan.settings.seed,
        )

    def wrong(self) -> str | None:
        """What is wrong with the form; None where nothing is."""
        weights = [as_number(box.value) for box in self.query("#weights Input").results(Input)]
        if any(w is None or w < 0 for w in weights) or not sum(w or 0 for w in weights):
            return "Weights are numbers of 0 or more, and not all 0."
        if self.strategy.needs_base and not self.query_one("#base", Input).value.strip():
            return f"{self.strategy.title} needs the base model that all were made from."
        if not self._output:
            return "Name a directory for the result."
        if exists(user_path(self._output)):
            return "The output exists already: a merged directory is never overwritten."
        options = {self.strategy.name: self.strategy.options}
        return next(
            (
                w
                for key, value in self._options().items()
                if (w := wrong_set(f"{self.strategy.name}.{key}={value}", options))
            ),
            None,
        )

    def why_not(self, action: str) -> str | None:
        return self.wrong() if action == "start" and self.is_mounted else super().why_not(action)

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
        self.query_one("#base-field").display = strategy.needs_base
        self.query_one("#doc-words", Static).update(_strategy_words(strategy))

    @on(Input.Changed)
    @on(Select.Changed)
    def _show(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#shown", Static).update(line(shown(self.command(), self.auditor.catalog_given)))
        weights = [as_number(box.value) or 0.0 for box in self.query("#weights Input").results(Input)]
        total = sum(weights) or 1.0
        shares = "  ".join(f"{w / total:.0%}" for w in weights)
        told = f"shares {shares}; the first is the suspect's"
        if self.query_one("#then", Select).value == "search":
            told = "the search finds a weight for each kind of module; strategy and weights here are not used"
        self.query_one("#shares", Static).update(line((told, "dim")))
        need = weight(self.entry.profile)
        free = "unknown" if self._free is None else size(self._free)
        tone = "bad" if self._free is not None and self._free < need else "dim"
        self.query_one("#room", Static).update(line((f"about {size(need)} are written, {free} free there", tone)))
        self.refresh_keys()

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.action_copy()

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        """Starts the merge, or the audit, in the background and follows it."""
        if self.allowed("start"):
            in_background(self, self._start, "start")

    async def _start(self) -> None:
        job = await self.auditor.start(self.command(), self.entry.name)
        if job is not None:
            self.app.pop_screen()
            self.auditor.open_job(job)


THEN = [
    (line("audit: rescan and compare too"), "audit"),
    (line("audit with a searched recipe"), "search"),
    (line("merge only"), "merge"),
]
NAME_LENGTH = 60
"""Characters of the suspect's name in the proposed directory's: file systems allow 255 bytes in all."""
OUTPUT_HINT = "A directory that does not exist yet: it appears whole or not at all."


def data_of(scan: Scan) -> DataRequest:
    """The data that a scan was asked with: its findings' command names the columns too."""
    source = "" if scan.data.source.startswith("builtin") else scan.data.source
    words = shlex.split(scan.findings[0].reproduce) if scan.findings else []
    named = dict(pairwise(words))
    if "--data" in named:
        source = named["--data"]
    columns = (named.get(flag) or None for flag in ("--text-column", "--pair-column", "--label-column"))
    return DataRequest(source or None, *columns)


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
