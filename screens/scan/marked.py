"""A text beside another one: what only this one says is in brackets and in colour."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.reports.highlight import Segment, segments, shortened

SHOWN = 400
"""Characters of an unchanged stretch."""
WORDS_ALIKE = 3
"""Fewer words in a row that two answers share are chance."""

Part = str | tuple[str, str]


def marked(clean: str, triggered: str) -> list[Part]:
    """The triggered text; what the edit put in is marked."""
    return _drawn(segments(clean, triggered))


def differing(answer: str, other: str) -> list[Part]:
    """The other answer; what the first one does not say is marked, in stretches that do not fall to pieces."""
    return _drawn(_together(segments(answer, other))) if other.strip() else [NOTHING]


NOTHING: Part = ("(nothing)", "dim")


def whole(answer: str) -> Part:
    """An answer as it is, cut only where it is very long."""
    return cut(answer) if answer.strip() else NOTHING


def cut(text: str) -> str:
    """A text, cut only where it is very long."""
    return text if len(text) <= 2 * SHOWN else text[: 2 * SHOWN] + "…"


def takes_away(clean: str, edited: str) -> bool:
    """Whether an edit has taken words away, and not only put some in."""
    kept = "".join(part.text for part in segments(clean, edited) if not part.changed)
    return kept.split() != clean.split()


def _drawn(parts: Iterable[Segment]) -> list[Part]:
    short = shortened(tuple(parts), SHOWN)
    return [(f"⟦{part.text}⟧", "bold $error") if part.changed else part.text for part in short]


def _together(parts: tuple[Segment, ...]) -> list[Segment]:
    """Changed stretches with but a few words between them as one."""
    last = len(parts) - 1
    found: list[Segment] = []
    for place, part in enumerate(parts):
        few = 0 < place < last and len(part.text.split()) < WORDS_ALIKE
        if found and found[-1].changed and (part.changed or few):
            found[-1] = Segment(found[-1].text + part.text, True)
        else:
            found.append(part)
    return found
