"""A page of text for a terminal: headings, facts, tables and quotes, wrapped to a width and never wider.

Every string that comes in is made visible first and never read as markup.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from auditor.visible import visible

INDENT = 4


class Page:
    """Collects the parts of a report and gives them as text, with terminal colours only if asked for."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self._width = width
        self._out = StringIO()
        self._console = Console(
            file=self._out,
            width=width,
            force_terminal=colour,
            color_system="standard" if colour else None,
            no_color=not colour,
            force_jupyter=False,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )

    def text(self) -> str:
        """All of it; trailing blanks are cut off."""
        lines = (line.rstrip() for line in self._out.getvalue().split("\n"))
        return "\n".join(lines).strip("\n") + "\n"

    def title(self, text: str, style: str) -> None:
        """The report's first line, underlined."""
        self._print(Text(visible(text), style=style))
        self._print(Text("═" * min(self._width, cell_len(visible(text)))))

    def heading(self, text: str) -> None:
        """A section's name, after an empty line."""
        self._print(Text())
        self._print(Text(visible(text), style="bold"))

    def paragraph(self, text: str) -> None:
        self._print(Text(visible(text)))

    def note(self, text: str) -> None:
        """An explanation that may be skipped."""
        self._print(Text(visible(text), style="dim"))

    def bullets(self, items: Iterable[str], lead: str = "") -> None:
        for item in items:
            self._hang("· ", Text(visible(f"{lead}{item}")))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Names and values in two columns."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(overflow="fold", max_width=max(self._width // 3, 8))
        grid.add_column(overflow="fold")
        for name, value in facts:
            grid.add_row(Text(visible(name), style="dim"), Text(visible(value)))
        self._print(grid)

    def table(self, grid: Table) -> None:
        self._print(grid)

    def item(self, text: str, style: str) -> None:
        """The first line of a list entry that goes on with `indented` parts."""
        self._hang("■ ", Text(visible(text), style=style))

    def indented(self, text: str) -> None:
        self._print(Padding(Text(visible(text)), (0, 0, 0, 2)))

    def quote(self, label: str, text: Text) -> None:
        """A text under examination, beside what it is."""
        self._hang(f"{label:>10}  ", text)

    def command(self, command: str) -> None:
        """A command line, broken between its words with backslashes so that it can be copied."""
        for line in _command_lines(command, self._width - INDENT):
            self._print(Padding(Text(visible(line)), (0, 0, 0, INDENT)))

    def _hang(self, mark: str, text: Text) -> None:
        grid = Table.grid()
        grid.add_column(width=len(mark), no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(mark), text)
        self._print(grid)

    def _print(self, part: Text | Table | Padding) -> None:
        self._console.print(part, overflow="fold")


def column(header: str, *, right: bool = False, fixed: bool = False) -> Column:
    """A table's column; `fixed` ones are figures that must not break."""
    return Column(Text(header), justify="right" if right else "left", overflow="fold", no_wrap=fixed)


def table(*columns: Column) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _command_lines(command: str, width: int) -> list[str]:
    try:
        words = [shlex.quote(word) for word in shlex.split(command)]
    except ValueError:
        return [command]
    lines = [""]
    for word in words:
        if lines[-1] and cell_len(visible(lines[-1])) + 1 + cell_len(visible(word)) > width - 2:
            lines[-1] += " \\"
            lines.append(f"  {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
