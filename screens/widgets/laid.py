"""Words that are laid out by the width that they are given: two texts beside each other where there is room."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING

from textual.content import Content
from textual.visual import Visual

from screens.words import line

if TYPE_CHECKING:
    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style
    from textual.visual import RenderOptions

NARROWEST = 30
"""Columns that a text needs to stand beside another one; with fewer they stand one below the other."""
RULE = " │ "
UNKNOWN_WIDTH = 80


class Laid(Visual):
    """Words made anew for each width.

    Args:
        lay: makes them for so many columns.
    """

    def __init__(self, lay: Callable[[int], Content]) -> None:
        self._lay = lay
        self._width = UNKNOWN_WIDTH
        self._made: Content | None = None

    def _at(self, width: int) -> Content:
        if self._made is None or width != self._width:
            self._made, self._width = self._lay(width), width
        return self._made

    def __str__(self) -> str:
        return str(self._at(self._width))

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._at(width).get_height(rules, width)

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        return self._at(width).render_strips(width, height, style, options)


def beside(left: tuple[str, Content], right: tuple[str, Content], width: int, indent: int = 0) -> Content:
    """Two texts with their heads, side by side; below each other where each would have fewer than `NARROWEST` columns.

    Args:
        left, right: a head and a text.
        width: columns for both.
        indent: columns that stay empty on the left.
    """
    blank = " " * indent
    room = width - indent
    each = (room - len(RULE)) // 2
    if each < NARROWEST:
        lines = []
        for head, text in (left, right):
            lines += [line(blank, (head, "dim")), *(line(blank) + part for part in text.wrap(max(1, room)))]
        return Content("\n").join(lines)
    sides = [[line((head, "dim")), *text.wrap(each)] for head, text in (left, right)]
    lines = []
    for one, other in zip_longest(*sides, fillvalue=Content("")):
        lines.append(line(blank) + one.pad_right(each - one.cell_length) + line((RULE, "dim")) + other)
    return Content("\n").join(lines)
