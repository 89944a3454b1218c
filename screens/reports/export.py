"""Writes a report into a file, in any format, and opens it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from auditor.reports.format import FORMATS
from auditor.requests.arguments import Arguments, report_arguments, shown
from auditor.settings import user_path
from screens.widgets.background import in_background
from screens.widgets.dialog import Dialog
from screens.widgets.field import Field
from screens.words import line


class ExportDialog(Dialog[None]):
    """Format and file; the command that is shown does the same in a pipeline."""

    HELP = "Choose a format and a file. Open shows an exported file with the desktop's own program."
    title_text = "Export"

    def __init__(self, record: str, kind: str) -> None:
        super().__init__()
        self._record = record
        self._formats = [f for f in FORMATS.values() if kind in f.kinds]
        self._written: Path | None = None

    def body(self) -> Iterable[Widget]:
        formats = [(line(f"{f.name}: {f.title}"), f.name) for f in self._formats]
        yield Field("format", Select(formats, value="html", allow_blank=False, id="format", compact=True))
        yield Field("file", Input(self._place("html"), id="file", compact=True))
        yield Static("", id="shown")
        yield Static("", id="end")
        yield Horizontal(
            Button("Export", id="go", variant="primary", compact=True),
            Button("Open", id="open", compact=True, disabled=True),
            Button("Close", id="close", compact=True),
            classes="buttons",
        )

    def _place(self, name: str) -> str:
        return f"auditor-{self._record}.{FORMATS[name].extension}"

    def _arguments(self) -> Arguments:
        name, place = str(self.query_one("#format", Select).value), self.query_one("#file", Input).value.strip()
        return report_arguments(self._record, name, str(user_path(place)))

    @on(Select.Changed)
    def _format(self, event: Select.Changed) -> None:
        self.query_one("#file", Input).value = self._place(str(event.value))
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        self.query_one("#shown", Static).update(line((shown(self._arguments(), self.shell.catalog_given), "dim")))

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        if self.query_one("#file", Input).value.strip():
            in_background(self, self._write)

    async def _write(self) -> None:
        arguments = self._arguments()
        end = self.query_one("#end", Static)
        end.update(line(("Writing…", "dim")))
        answer = await self.shell.answer(arguments)
        if answer.code == 0:
            self._written = Path(arguments[-1])
            end.update(line(("✔ ", "good"), f"written to {self._written.absolute()}"))
            self.query_one("#open", Button).disabled = False
        else:
            end.update(line(("! ", "bad"), answer.words))

    @on(Button.Pressed, "#open")
    def _open(self) -> None:
        program = "open" if sys.platform == "darwin" else "xdg-open"
        if self._written is None or shutil.which(program) is None:
            self.app.notify(f"There is no {program} here; open {self._written} yourself.", markup=False)
            return
        subprocess.Popen(
            [program, str(self._written)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss(None)
