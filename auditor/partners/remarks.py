"""What is said of a candidate partner: one sentence, what it is about, and how much it weighs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """How much a remark weighs.

    BLOCKER: it is no partner. DOUBT: it is not taken unless it is named. WARNING: it speaks against it. NOTE: worth
    knowing. FOR: it speaks for it.
    """

    BLOCKER = "blocker"
    DOUBT = "doubt"
    WARNING = "warning"
    NOTE = "note"
    FOR = "for"


class Topic(StrEnum):
    """What a remark is about."""

    FIT = "fit"
    BASE = "base"
    QUALITY = "quality"
    INDEPENDENCE = "independence"
    DATA = "data"
    LICENCE = "licence"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about a candidate; `points` is what it adds to the candidate's rank."""

    kind: Kind
    topic: Topic
    text: str
    points: float = 0.0


def judge_licence(suspect: str | None, candidate: str | None) -> Remark:
    """What the stated licences of the suspect and a candidate mean for their merge."""
    if not candidate:
        return Remark(Kind.NOTE, Topic.LICENCE, "states no licence", -0.5)
    if suspect and suspect.casefold() != candidate.casefold():
        words = f"its licence is {candidate}, the suspect's {suspect}: a merge is bound by both"
        return Remark(Kind.WARNING, Topic.LICENCE, words, -0.5)
    return Remark(Kind.FOR, Topic.LICENCE, f"licence {candidate}")


def unless_recorded(remark: Remark) -> Remark:
    """Weights that trained far from a recorded base may no longer resemble it: no more than a warning then."""
    if remark.topic is Topic.BASE and remark.kind is Kind.DOUBT:
        return replace(remark, kind=Kind.WARNING, points=-10)
    return remark
