"""What is said of a candidate partner: one sentence, what it is about, and how much it weighs."""

from __future__ import annotations

from dataclasses import dataclass
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
