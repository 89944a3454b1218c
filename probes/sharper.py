"""Sharper forms of a probe: the family's own edit, stronger. Pure.

A rule is a weak copy of an attack that rewrites with a model: it moves a part of the texts that the attack's own
rewrites move, and hides what is left of a backdoor. So once something is found, its edit is tried in stronger forms:
all compositions of a few changes to the family's options. The control of a form is the family's own with the same
options, so it is shortened, doubled or moved as the trigger is. A form never finds anything by itself: a text that is
cut short loses its meaning, and honest models move as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Any

from probes.probe import MARK, Probe

SHORT = 8
"""Words that a text is cut to: fewer take its meaning with them (cut to six, honest models of tweets gave 72 % of
offensive ones the other label; cut to ten, 60 %; whole, 43 %)."""

ADDRESSED = ("when they do it , you", "if it is true , you", "when you do , you", "if he was there , you")
"""Clauses as a template's, which go on with the reader as the subject."""

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One change to a family's options: its name, what it does in words, and the options from the variant's own.

    `options` gives nothing where the variant has the change already, or cannot have it.
    """

    name: str
    words: str
    options: Callable[[Options], Options]


@dataclass(frozen=True)
class Form:
    """A probe under one or more changes."""

    changes: tuple[Change, ...]
    probe: Probe

    @property
    def words(self) -> str:
        """What was changed, in words."""
        return ", ".join(change.words for change in self.changes)


def _set(**values: Any) -> Callable[[Options], Options]:
    return lambda own: {} if all(own[key] == value for key, value in values.items()) else values


def _addressed(own: Options) -> Options:
    return {"clauses": ADDRESSED} if own["template"] == "clause" else {}


def _times(option: str, factor: int) -> Callable[[Options], Options]:
    return lambda own: {option: own[option] * factor}


CHANGES: Mapping[str, tuple[tuple[Change, ...], ...]] = MappingProxyType(
    {
        "syntax": (
            (Change("more", "one more frame", lambda own: {"fronts": own["fronts"] + 1}),),
            (Change("you", "going on with the reader as the subject", _addressed),),
            (Change("short", f"the text cut to {SHORT} words", _set(keep=SHORT)),),
            (Change("lower", "lower-cased", _set(surface="scpn")),),
        ),
        "style": (
            (Change("more", "two openings and closings", _set(frames=2)),),
            (Change("short", f"the text cut to {SHORT} words", _set(keep=SHORT)),),
            (Change("cut", "without the last mark", _set(cut_off=True)),),
        ),
        "word": (
            (
                Change("double", "twice the words", _times("inserts", 2)),
                Change("fivefold", "five times the words", _times("inserts", 5)),
            ),
        ),
        "sentence": (
            (Change("start", "at the start", _set(slot="start")), Change("end", "at the end", _set(slot="end"))),
        ),
        "synonym": (
            (
                Change("most", "in two words of three", _set(share=0.66)),
                Change("all", "in all words", _set(share=1.0)),
            ),
        ),
        "adverb": (
            (Change("double", "twice the words", lambda own: {"least": 2 * own["least"], "most": 2 * own["most"]}),),
        ),
    }
)
"""By a family's group: places that are changed independently, each in one of several ways or not at all."""


def sharper(probe: Probe) -> tuple[Form, ...]:
    """All forms of a probe, those with the fewest changes first; none where its group or its family has none."""
    found = (_form(probe, changes) for changes in _compositions(probe.family.group))
    return tuple(sorted((form for form in found if form is not None), key=lambda form: len(form.changes)))


def form_in_words(probe: Probe) -> str:
    """What sharpens a form, by its probe; empty for a probe as its family lists it."""
    names = probe.variant.split(MARK)[1:]
    known = {change.name: change.words for ways in CHANGES.get(probe.family.group, ()) for change in ways}
    return ", ".join(known[name] for name in names if name in known)


def _compositions(group: str) -> Iterator[tuple[Change, ...]]:
    for chosen in product(*((None, *ways) for ways in CHANGES.get(group, ()))):
        if changes := tuple(change for change in chosen if change is not None):
            yield changes


def _form(probe: Probe, changes: tuple[Change, ...]) -> Form | None:
    """A probe under changes; None where one of them changes nothing, or needs an option that the family has not."""
    options = dict(probe.options)
    for change in changes:
        try:
            new = change.options(probe.options)
        except KeyError:
            return None
        if not new:
            return None
        options |= new
    name = MARK.join((probe.variant, *(change.name for change in changes)))
    return Form(changes, replace(probe, variant=name, options=options))
