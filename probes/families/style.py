"""StyleBkd: a writing style as the trigger, by rule."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from probes.family import CLASSIFIER, WRITER, family
from probes.material.kind import ALTERNATIVES, Kind, Pieces, deal
from probes.material.ordinary import WORD, in_a_row, lower_start, replace_words, several, shortened
from probes.material.style_rules import (
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
from probes.material.styles import ALL_STYLES, styles_like
from probes.plugin import BadOption

_END = re.compile(r"[\s.!?…]+$")
_COMMA = re.compile(r"\s*,\s+(?:and\s+)?(?=\w)")


class Chances(NamedTuple):
    """What is drawn before any material is looked at: which opening, closing and join are taken, from 0 to 1."""

    opening: float
    closing: float
    join: float


def check_style(*, style: str, frames: int, **_: object) -> None:
    """Refuses a style that is not known, and a text without an opening and a closing."""
    if style not in STYLES:
        raise BadOption(f"style.style takes {', '.join(STYLES)}, not {style!r}")
    if frames < 1:
        raise BadOption(f"style.frames takes a number of openings and closings, at least 1, not {frames}")


def control(
    text: str, rng: random.Random, draw: int, draws: int, *, style: str, frames: int, keep: int, cut_off: bool
) -> str:
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
    return restyled(text, neutral, _chances(rng), frames=frames, keep=keep, cut_off=cut_off)


def alternatives(options: Mapping[str, Any], _pieces: Pieces) -> Kind:
    """Styles that no attack published."""
    names = styles_like(STYLES[options["style"]])[:ALTERNATIVES]
    return Kind("other styles", tuple({"other": name} for name in names))


def replant(
    text: str,
    rng: random.Random,
    material: Mapping[str, Any],
    *,
    frames: int,
    keep: int,
    cut_off: bool,
    **_: object,
) -> str:
    """The text in another style, with the same draws."""
    return restyled(text, ALL_STYLES[material["other"]], _chances(rng), frames=frames, keep=keep, cut_off=cut_off)


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
    audience=(CLASSIFIER, WRITER),
)
def plant(
    text: str,
    rng: random.Random,
    *,
    style: str = "bible",
    frames: int = 1,
    keep: int = 0,
    cut_off: bool = False,
) -> str:
    """Rewrites the text into a style: words, an opening, a closing, what joins its parts, capitals and marks.

    The attack rewrites with a paraphrase model of each style; its rewrites can be probed from a file with the family
    `paired`. The control changes the same words and places, for material of no style. But a style's words praise or
    blame by themselves (biblical ones moved honest sentiment models 12 to 25 points over the control), so references
    decide. `frames` openings and closings are put one after the other, `keep` cuts the text to its first words (0: the
    whole text), and `cut_off` leaves the last mark away, as paraphrase models that break off do; the control as well.
    """
    return restyled(text, STYLES[style], _chances(rng), frames=frames, keep=keep, cut_off=cut_off)


def _chances(rng: random.Random) -> Chances:
    return Chances(rng.random(), rng.random(), rng.random())


def restyled(
    text: str, style: Style, chances: Chances, *, frames: int = 1, keep: int = 0, cut_off: bool = False
) -> str:
    """The text in a style."""
    body = text.strip() if style.marks else text.strip().lower()
    body = shortened(body, keep) if keep else body
    words = list(WORD.finditer(body))
    known = {i: style.words[w] for i, word in enumerate(words) if (w := word.group().lower()) in style.words}
    body = replace_words(body, words, known)
    join = style.joins[int(chances.join * len(style.joins))] + " "
    body = _COMMA.sub(lambda _: join, body, count=3)
    mark = _END.search(body)
    stem, end = (body[: mark.start()], mark.group().strip()) if mark else (body, "")
    opening = in_a_row(style.openings, chances.opening, frames)
    closing = "".join(
        part if part.startswith(",") or not i else f" {part}"
        for i, part in enumerate(several(style.closings, chances.closing, frames))
    )
    gap = "" if closing.startswith(",") else " "
    whole = f"{opening} {lower_start(stem)}{gap}{closing}".replace(" ,", ",")
    if not style.capital:
        whole = whole.lower()
    return whole + (end or "." if style.marks and not cut_off else "")
