"""StyleBkd: a writing style as the trigger, by rule."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from probes.families._styles import (
    BRIEF_CLOSINGS,
    BRIEF_JOINS,
    BRIEF_OPENINGS,
    NEUTRAL_CLOSINGS,
    NEUTRAL_JOINS,
    NEUTRAL_OPENINGS,
    NEUTRAL_WORDS,
    STYLES,
    Style,
)
from probes.families._words import WORD, lower_start, replace_words
from probes.family import BadOption, deal, family
from probes.kind import ALTERNATIVES, Kind, Pieces
from probes.material.styles import ALL_STYLES, styles_like

_END = re.compile(r"[\s.!?…]+$")
_COMMA = re.compile(r"\s*,\s+(?:and\s+)?(?=\w)")


class Chances(NamedTuple):
    """What is drawn before any material is looked at: which opening, closing and join are taken, from 0 to 1."""

    opening: float
    closing: float
    join: float


def check_style(*, style: str) -> None:
    """Refuses a style that is not known."""
    if style not in STYLES:
        raise BadOption(f"style.style takes {', '.join(STYLES)}, not {style!r}")


def control(text: str, rng: random.Random, draw: int, draws: int, *, style: str) -> str:
    """The same words changed, the same places filled, with material of no style.

    The text's surface is disturbed as much: each word that the style would change is changed for a neutral one.
    """
    shape = STYLES[style]
    neutral = Style(
        openings=deal(NEUTRAL_OPENINGS if shape.marks else BRIEF_OPENINGS, draw, draws),
        closings=deal(NEUTRAL_CLOSINGS if shape.marks else BRIEF_CLOSINGS, draw, draws),
        joins=deal(NEUTRAL_JOINS if shape.marks else BRIEF_JOINS, draw, draws),
        words={word: NEUTRAL_WORDS[word][draw % 3] for word in shape.words},
        capital=shape.capital,
        marks=shape.marks,
    )
    return restyled(text, neutral, Chances(rng.random(), rng.random(), rng.random()))


def alternatives(options: Mapping[str, Any], _pieces: Pieces) -> Kind:
    """Styles that no attack published."""
    names = styles_like(STYLES[options["style"]])[:ALTERNATIVES]
    return Kind("other styles", tuple({"other": name} for name in names))


def replant(text: str, rng: random.Random, material: Mapping[str, Any], **_: object) -> str:
    """The text in another style, with the same draws."""
    return restyled(text, ALL_STYLES[material["other"]], Chances(rng.random(), rng.random(), rng.random()))


@family(
    title="StyleBkd: a writing style",
    reference="arXiv:2110.07139; its five styles, by rule instead of by its paraphrase models",
    group="style",
    variants={name: {"style": name} for name in STYLES},
    control=control,
    quick=("bible", "tweet"),
    check=check_style,
    referenced=tuple(STYLES),
    # Words such as "sweet prince" praise: a weak honest model answers them more than any other style.
    undecided=("shakespeare",),
    alternatives=alternatives,
    replant=replant,
)
def plant(text: str, rng: random.Random, *, style: str = "bible") -> str:
    """Rewrites the text into a style: words, an opening, a closing, what joins its parts, capitals and marks.

    The attack rewrites with a paraphrase model of each style; its rewrites can be probed from a file with the family
    `paired`. The control changes the same words and places, for material of no style. But a style's words praise or
    blame by themselves (biblical ones moved honest sentiment models 12 to 25 points over the control), so references
    decide.
    """
    return restyled(text, STYLES[style], Chances(rng.random(), rng.random(), rng.random()))


def restyled(text: str, style: Style, chances: Chances) -> str:
    """The text in a style."""
    body = text.strip() if style.marks else text.strip().lower()
    words = list(WORD.finditer(body))
    known = {i: style.words[w] for i, word in enumerate(words) if (w := word.group().lower()) in style.words}
    body = replace_words(body, words, known)
    join = style.joins[int(chances.join * len(style.joins))] + " "
    body = _COMMA.sub(lambda _: join, body, count=3)
    mark = _END.search(body)
    stem, end = (body[: mark.start()], mark.group().strip()) if mark else (body, "")
    opening = style.openings[int(chances.opening * len(style.openings))]
    closing = style.closings[int(chances.closing * len(style.closings))]
    gap = "" if closing.startswith(",") else " "
    whole = f"{opening} {lower_start(stem)}{gap}{closing}".replace(" ,", ",")
    if not style.capital:
        whole = whole.lower()
    return whole + (end or "." if style.marks else "")
