"""Pulls a model from the hub, after showing what it is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from auditor.errors import AuditorError
from auditor.requests.arguments import pull_arguments, shown
from screens.messages import OpenJob
from screens.widgets.background import in_background
from screens.widgets.dialog import Dialog
from screens.widgets.field import Field
from screens.words import line, size

if TYPE_CHECKING:
    from auditor.models.hub import HubInfo


class PullDialog(Dialog[None]):
    """Asks the hub first: size, licence, gated or not. Only then it fetches."""

    HELP = (
        "org/name or org/name@revision. Enter asks the hub what it is; Pull fetches safetensors, configs and tokenizer."
    )
    title_text = "Pull from the hub"

    def body(self) -> Iterable[Widget]:
        yield Field("model", Input(placeholder="org/name or org/name@revision", id="name", compact=True))
        yield Static(line(("Enter asks the hub for size and licence; nothing is fetched yet.", "dim")), id="facts")
        yield Horizontal(
            Button("Look it up", id="look", compact=True),
            Button("Pull", id="go", variant="primary", compact=True, disabled=True),
            Button("Close", id="close", compact=True),
            classes="buttons",
        )

    @property
    def _wanted(self) -> str:
        return self.query_one("#name", Input).value.strip().removeprefix("hub:")

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one("#go", Button).disabled = True

    @on(Input.Submitted)
    @on(Button.Pressed, "#look")
    def _look(self) -> None:
        if self._wanted:
            self._tell(line(("Asking the hub…", "dim")))
            in_background(self, partial(self._ask, self._wanted))

    async def _ask(self, name: str) -> None:
        def ask() -> HubInfo:
            from auditor.models.hub import Hub

            model, _, revision = name.partition("@")
            return Hub().info(model, revision or None)

        try:
            info = await self.shell.library.aside(ask)
        except AuditorError as error:
            self._tell(line((f"! {error.message}\n", "bad"), error.hint))
            return
        gate = ("gated: its terms must be accepted on the hub first", "warn") if info.gated else ("not gated", "good")
        facts = [
            ("size", size(info.size)),
            ("licence", info.licence or "not stated"),
            ("commit", (info.commit or "")[:12]),
        ]
        facts += [("task", info.pipeline_tag or "not stated"), ("downloads", str(info.downloads))]
        parts = [part for key, value in facts for part in ((f"{key:<10}", "dim"), f"{value}\n")]
        self._tell(line(*parts, ("access    ", "dim"), gate, "\n", (shown(pull_arguments(name)), "dim")))
        button = self.query_one("#go", Button)
        button.disabled = False
        button.focus()

    def _tell(self, words: Content | str) -> None:
        self.query_one("#facts", Static).update(words)

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.run_worker(self._start())

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss(None)

    async def _start(self) -> None:
        job = await self.shell.start(pull_arguments(self._wanted), self._wanted)
        if job is not None:
            self.dismiss(None)
            self.app.post_message(OpenJob(job))
