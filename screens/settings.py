"""Settings: theme, catalog, device, policy. Kept for the next time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from auditor.requests.arguments import Arguments
from auditor.settings import user_path
from screens.disk import is_file
from screens.preferences import Preferences
from screens.themes import NAMES
from screens.widgets.field import Field
from screens.widgets.page import Page
from screens.words import line

DEVICES = ("auto", "cpu", "cuda")


class SettingsScreen(Page):
    """What every command is given, and how the application looks."""

    HELP = (
        "Theme (one for colour-blind eyes, one with high contrast), the catalog, the device and the policy file that "
        "commands are given. `auditor doctor` says which devices work here."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f5", "keep", "Save", key_display="^s")]
    DEFAULT_CSS = """
    SettingsScreen VerticalScroll { padding: 1 2; }
    SettingsScreen #place { height: auto; color: $dim; margin: 1 0; }
    """
    trail = "Settings"

    def body(self) -> Iterable[Widget]:
        shell = self.shell
        chosen = shell.chosen
        themes = [(line(name), name) for name in NAMES]
        devices = [(line(name), name) for name in dict.fromkeys((*DEVICES, chosen.device))]
        theme = chosen.theme if chosen.theme in NAMES else NAMES[0]
        yield VerticalScroll(
            Field("theme", Select(themes, value=theme, allow_blank=False, id="theme", compact=True)),
            Field(
                "catalog",
                Input(shell.catalog_given, placeholder="in the user's data directory", id="catalog", compact=True),
            ),
            Field("device", Select(devices, value=chosen.device, allow_blank=False, id="device", compact=True)),
            Field(
                "policy file", Input(chosen.policy, placeholder="the program's own limits", id="policy", compact=True)
            ),
            Static(
                line(
                    f"Jobs keep their files in {shell.jobs_directory}. "
                    "NO_COLOR in the environment switches colours off."
                )
            ),
            Horizontal(
                Button("Save", id="keep", variant="primary", compact=True),
                Button("Cancel", id="leave", compact=True),
                classes="buttons",
            ),
            classes="grow",
        )

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).can_focus = False
        self.query_one("#theme").focus()

    @on(Select.Changed, "#theme")
    def _try(self, event: Select.Changed) -> None:
        self.app.theme = str(event.value)

    def command(self) -> Arguments | None:
        return ("doctor",)

    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        """Saves the choices and goes back."""
        policy = self.query_one("#policy", Input).value.strip()
        if policy and not is_file(user_path(policy)):
            self.app.notify(f"There is no file {policy}.", severity="warning", markup=False)
            return
        chosen = Preferences(
            theme=str(self.query_one("#theme", Select).value),
            catalog=self.query_one("#catalog", Input).value.strip(),
            device=str(self.query_one("#device", Select).value),
            policy=policy,
        )
        self.app.pop_screen()
        self.shell.choose(chosen)

    @on(Button.Pressed, "#leave")
    def action_back(self) -> None:
        """Goes back; nothing is changed."""
        chosen = self.shell.chosen
        self.app.theme = chosen.theme if chosen.theme in NAMES else NAMES[0]
        super().action_back()
