"""Answers of a model that writes: the prompt with the edit marked, and below it two answers beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from screens.scan.marked import Part, cut, differing, marked, takes_away, whole
from screens.widgets.laid import beside
from screens.words import line

if TYPE_CHECKING:
    from store.records import Evidence

INDENT = 3


def describe_answers(row: Evidence, number: int, width: int) -> Content:
    """One row of evidence.

    Args:
        width: columns.
    """
    prompt = prompt_words(row.text, row.triggered, number)
    if row.text == row.triggered and row.before == row.after:
        return Content("\n").join([prompt, line((" " * INDENT, ""), ("answer    ", "dim"), whole(row.after))])
    return Content("\n").join([prompt, side_by_side(("before", row.before), ("with the trigger", row.after), width)])


def side_by_side(first: tuple[str, str], second: tuple[str, str], width: int) -> Content:
    """Two answers with their heads; what only the second one says is marked."""
    (head, answer), (other_head, other) = first, second
    return beside((head, line(whole(answer))), (other_head, line(*differing(answer, other))), width, INDENT)


def prompt_words(text: str, edited: str, number: int) -> Content:
    """A prompt with the edit marked; where that has taken words away, the prompt as it was too."""
    parts: list[Part] = [(f"{number}  prompt    ", "dim")]
    if takes_away(text, edited):
        parts += [cut(text), ("\n   triggered ", "dim")]
    return line(*parts, *marked(text, edited))
