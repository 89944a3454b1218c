"""What an empty catalog says: the three things that one can do first."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Button, Static

from screens.words import line


class Welcome(VerticalScroll):
    """Three doors: add a model, pull one, or see the demo."""

    HELP = "The catalog is empty. Choose one of the three ways to begin."
    DEFAULT_CSS = """
    Welcome { height: 1fr; padding: 1 2; }
    Welcome Button { margin: 1 0 0 0; }
    Welcome Static { height: auto; color: $dim; }
    Welcome #greeting { color: $foreground; }
    """

    def compose(self) -> ComposeResult:
        yield Static(line("The catalog is empty. Three ways to begin:"), id="greeting")
        yield Button("a  Add a model", id="add", compact=True, variant="primary")
        yield Static(line("A directory on this machine with config.json and safetensors. Nothing is copied."))
        yield Button("u  Pull a model from the hub", id="pull", compact=True)
        yield Static(line("Shows size and licence first; fetches safetensors only, never code."))
        yield Button("D  Run the demo", id="demo", compact=True)
        yield Static(
            line("Plants a backdoor in a small model, finds it and merges it away: about three minutes, no network.")
        )
