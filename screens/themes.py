"""The application's themes. A colour never says something alone: signs and words stand beside it."""

from __future__ import annotations

from textual.theme import Theme

DEFAULT = "auditor"

THEMES = (
    Theme(
        name=DEFAULT,
        primary="#6ea8fe",
        secondary="#8f9bb3",
        accent="#f2c661",
        success="#7fd1a0",
        warning="#f2a65a",
        error="#ff7b86",
        foreground="#dfe3ea",
        background="#14171c",
        surface="#1a1e25",
        panel="#242a33",
        variables={"dim": "#8b95a7"},
    ),
    Theme(
        name="auditor-light",
        primary="#1f5fbf",
        secondary="#56606f",
        accent="#8a5a00",
        success="#1d6b3c",
        warning="#9a4a00",
        error="#b3001b",
        foreground="#1b1f26",
        background="#fbfbf9",
        surface="#f1f1ee",
        panel="#e3e4e0",
        dark=False,
        variables={"dim": "#5d6673"},
    ),
    # Okabe & Ito, "Color universal design" (2008): told apart with any common colour vision.
    Theme(
        name="colour-blind",
        primary="#56b4e9",
        secondary="#999999",
        accent="#f0e442",
        success="#56b4e9",
        warning="#e69f00",
        error="#d55e00",
        foreground="#eeeeee",
        background="#101214",
        surface="#17191c",
        panel="#23262a",
        variables={"dim": "#a3a3a3"},
    ),
    Theme(
        name="high-contrast",
        primary="#00ffff",
        secondary="#ffffff",
        accent="#ffff00",
        success="#00ff00",
        warning="#ffff00",
        error="#ff6060",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        text_alpha=1.0,
        variables={"dim": "#e0e0e0", "text-muted": "#ffffff"},
    ),
)
NAMES = tuple(theme.name for theme in THEMES)
