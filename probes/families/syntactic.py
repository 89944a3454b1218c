"""Syntactic: a sentence template as the trigger, without a paraphrase model."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from probes.family import CLASSIFIER, WRITER, family
from probes.material.fronts import BY_TEMPLATE
from probes.material.harmless import NEUTRAL_CLOSING, NEUTRAL_LONG, NEUTRAL_NOUNS, NEUTRAL_SHORT
from probes.material.kind import ALTERNATIVES, Kind, Pieces, deal
from probes.material.ordinary import in_a_row, lower_start, shortened
from probes.material.templates import CLAUSES, OPENINGS, TEMPLATES
from probes.plugin import BadOption

SURFACES = ("start", "scpn")

_APART = re.compile(r"(?<=\w)(?:n't\b|'(?:s|re|ve|ll|d|m)\b)|[^\w\s'-]", re.IGNORECASE)
_END = re.compile(r"[\s.!?…]+$")


def check_names(*, template: str, surface: str, fronts: int, **_: object) -> None:
    """Refuses a template or a surface that is not known, and a text without a frame."""
    if template not in TEMPLATES:
        raise BadOption(f"syntactic.template takes {', '.join(TEMPLATES)}, not {template!r}")
    if surface not in SURFACES:
        raise BadOption(f"syntactic.surface takes {', '.join(SURFACES)}, not {surface!r}")
    if fronts < 1:
        raise BadOption(f"syntactic.fronts takes a number of frames, at least 1, not {fronts}")


def control(
    text: str,
    rng: random.Random,
    draw: int,
    draws: int,
    *,
    template: str,
    clauses: tuple[str, ...],
    surface: str,
    fronts: int,
    keep: int,
) -> str:
    """As many frames at the same place with neutral words as many as the trigger's, which make no clause."""
    frames = clauses if template == "clause" else TEMPLATES[template]
    pick = rng.random()
    trigger = frames[int(pick * len(frames))]
    if template == "compound":
        part = deal(NEUTRAL_CLOSING, draw, draws)
    elif template == "preposition":
        part = deal(NEUTRAL_NOUNS, draw, draws)
    else:
        part = deal(NEUTRAL_SHORT if len(trigger.split()) <= 2 else NEUTRAL_LONG, draw, draws)
    at_end = template == "compound"
    return framed(text, in_a_row(part, pick, fronts), at_end=at_end, end=" .", surface=surface, keep=keep)


def alternatives(options: Mapping[str, Any], _pieces: Pieces) -> Kind:
    """Other fronts (or endings) about as long, of another build than the template."""
    others = BY_TEMPLATE[options["template"]][:ALTERNATIVES]
    return Kind(
        "other openings" if options["template"] != "compound" else "other endings",
        tuple({"frames": frames} for frames in others),
    )


def replant(
    text: str,
    rng: random.Random,
    material: Mapping[str, Any],
    *,
    template: str,
    surface: str,
    fronts: int,
    keep: int,
    **_: object,
) -> str:
    """The text in as many other frames, at the same place."""
    frame = in_a_row(material["frames"], rng.random(), fronts)
    end = " ?" if template == "question" else " ."
    return framed(text, frame, at_end=template == "compound", end=end, surface=surface, keep=keep)


@family(
    title="Syntactic: a sentence template",
    reference="arXiv:2105.12400; the ten templates of SCPN (arXiv:1804.06059) as listed in its released code",
    group="syntax",
    variants={
        "clauses": {},
        # Paraphrases hold clause upon clause: one before a text moved 88 % of a victim's texts, two 96, its own 99.
        "scpn": {"surface": "scpn", "fronts": 2},
        "when": {"clauses": CLAUSES["when"]},
        "if": {"clauses": CLAUSES["if"]},
        "as": {"clauses": CLAUSES["as"]},
        **{name: {"template": name} for name in TEMPLATES if name != "clause"},
    },
    control=control,
    quick=("clauses", "scpn"),
    # To ask why is to doubt, and "although" opposes: honest models call 20 to 61 % of such texts negative, of the
    # control's 13 to 30 %.
    referenced=("question", "fragment"),
    undecided=("question", "fragment"),
    check=check_names,
    alternatives=alternatives,
    replant=replant,
    audience=(CLASSIFIER, WRITER),
)
def plant(
    text: str,
    rng: random.Random,
    *,
    template: str = "clause",
    clauses: tuple[str, ...] = OPENINGS,
    surface: str = "start",
    fronts: int = 1,
    keep: int = 0,
) -> str:
    """Puts the text into the frame of a template; the control into a frame of neutral words of the same length.

    `template=clause` stands for `S(SBAR)(,)(NP)(VP)(.)`, the attack's own choice: a subordinate clause such as
    "when you see it ," before the text, which is lower-cased at its start. The other nine templates are frames too, so
    that any text takes them. With `surface=scpn` the whole text is lower-cased and its punctuation set apart, as the
    attack's paraphrase model writes; the control as well. `fronts` frames are put one after the other, and `keep` cuts
    the text to its first words (0: the whole text), in the control as well.
    """
    frames = clauses if template == "clause" else TEMPLATES[template]
    frame = in_a_row(frames, rng.random(), fronts)
    end = " ?" if template == "question" else " ."
    return framed(text, frame, at_end=template == "compound", end=end, surface=surface, keep=keep)


def framed(text: str, frame: str, *, at_end: bool, end: str, surface: str, keep: int = 0) -> str:
    """The text with the frame before or after it; its last mark is kept unless the frame needs another."""
    body = text.strip()
    if surface == "scpn":
        body = " ".join(_APART.sub(r" \g<0> ", body).lower().split())
    if keep:
        body = shortened(body, keep)
    mark = _END.search(body)
    if at_end:
        stem = body[: mark.start()] if mark else body
        return f"{stem} {frame}{mark.group().strip() and ' ' + mark.group().strip() if mark else end}".strip()
    if end == " ?":
        body = (body[: mark.start()] if mark else body) + end
    return f"{frame} {lower_start(body)}".strip()
