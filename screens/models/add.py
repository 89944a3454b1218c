"""Adds a model to the catalog."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from auditor.requests.arguments import Arguments, add_arguments, shown
from screens.widgets.dialog import Dialog
from screens.widgets.field import Field
from screens.words import line


class AddDialog(Dialog[None]):
    """Asks for a path; the command reads the model's profile, nothing is copied."""

    HELP = "A directory with config.json and safetensors, or org/name on the hub. Nothing is copied."
    title_text = "Add a model"

    def body(self) -> Iterable[Widget]:
        yield Static(line(("A directory with config.json and safetensors. Nothing is copied.", "dim")))
        yield Field("path", Input(placeholder="/models/my-classifier", id="path", compact=True))
        yield Field("name", Input(placeholder="the directory's own", id="name", compact=True))
        yield Field("tags", Input(placeholder="words with commas between", id="tags", compact=True))
        yield Static("", id="shown")
        yield Horizontal(
            Button("Add", id="go", variant="primary", compact=True),
            Button("Close", id="close", compact=True),
            classes="buttons",
        )

    def _arguments(self) -> Arguments:
        path, name, tags = (self.query_one(f"#{key}", Input).value.strip() for key in ("path", "name", "tags"))
        return add_arguments(path, name, [tag.strip() for tag in tags.split(",") if tag.strip()])

    @on(Input.Changed)
    def _show(self) -> None:
        self.query_one("#shown", Static).update(line((shown(self._arguments(), self.shell.catalog_given), "dim")))

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        if self.query_one("#path", Input).value.strip():
            self.run_worker(self._start())
        else:
            self.app.notify("Name a directory first.", severity="warning")

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss(None)

    async def _start(self) -> None:
        if await self.shell.start(self._arguments(), "add") is not None:
            self.dismiss(None)
