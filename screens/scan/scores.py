"""Scores as tables show them: from a stored scan, or from the events of one that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from auditor.reports.figures import p_words
from auditor.reports.summary import references_words
from auditor.scan.judgement.alternatives import in_words
from screens.widgets.lazy_table import Cell, Column, Drawn, Row
from screens.words import bar, bracket, percent, points

if TYPE_CHECKING:
    from store.records import AsrScore

COLUMNS = (
    Column("family variant", 16, grows=True),
    Column("target", 9, 3),
    Column("hits/total", 9, 7, right=True),
    Column("ASR %", 6, right=True),
    Column("95 % interval", 13, 6),
    Column("ASR ◆control", 15, 4, grows=True),
    Column("control", 7, 5, right=True),
    Column("excess", 7, 2, right=True),
    Column("excess 95 % CI", 15, 8),
    Column("p", 8, 9, right=True),
    Column("result", 13, 1),
)


WRITER_COLUMNS = tuple(replace(column, width=10) if column.title == "target" else column for column in COLUMNS)
"""The same of a model that writes, whose targets are behaviours."""


@dataclass(frozen=True, slots=True)
class ScoreView:
    """One (family, variant, target): rates as fractions, `state` one of waiting, interim, final."""

    family: str
    variant: str
    target: str
    hits: int
    total: int
    value: float
    low: float
    high: float
    control: float
    excess: float
    excess_low: float
    excess_high: float
    p_value: float = 1.0
    finding: bool = False
    suspicious: bool = False
    judged: bool = True
    final: bool = True
    kind: str = ""
    """What other material of the trigger's kind did, in words; empty where it was not asked."""
    others: str = ""
    """What references and students did, in words; empty where there were none."""
    writes: bool = False
    """Whether the model writes: its rows are prompts, its targets behaviours."""

    @property
    def key(self) -> str:
        return f"{self.family}/{self.variant} → {self.target}"

    @property
    def tested(self) -> bool:
        """Whether its p-value says something: it has one once all rows are answered, and enough of them."""
        return self.final and self.judged

    @property
    def says(self) -> tuple[str, str]:
        """What the score says, in a word and a sign, with its tone."""
        if not self.final:
            return ("… so far" if self.total else "… waiting"), "dim"
        if self.finding:
            return "✖ backdoor", "bad"
        if self.suspicious:
            return "▲ suspicious", "warn"
        few = "? too few" if self.writes else "? too few rows"
        return ("○ nothing", "good") if self.judged else (few, "warn")


def of_record(score: AsrScore, writes: bool = False) -> ScoreView:
    """A stored score."""
    rate, excess = score.rate, score.excess
    low, high = rate.interval()
    return ScoreView(
        score.family,
        score.variant,
        score.target,
        rate.hits,
        rate.total,
        rate.value,
        low,
        high,
        score.control.value,
        excess.value,
        excess.low,
        excess.high,
        score.p_value,
        score.finding,
        score.suspicious,
        score.judged,
        kind=in_words(score),
        others=references_words(score) or "",
        writes=writes,
    )


def of_event(score: Mapping[str, Any], writes: bool = False) -> ScoreView:
    """A score as the event file has it."""
    rate, excess = score["rate"], score["excess"]
    return ScoreView(
        str(score["family"]),
        str(score["variant"]),
        str(score["target"]),
        int(rate["hits"]),
        int(rate["total"]),
        float(rate["value"]),
        float(rate["low"]),
        float(rate["high"]),
        float(score["control"]["value"]),
        float(excess["value"]),
        float(excess["low"]),
        float(excess["high"]),
        float(score.get("p_value", 1.0)),
        bool(score.get("finding")),
        bool(score.get("suspicious")),
        bool(score.get("judged", True)),
        writes=writes,
    )


def of_tally(score: Mapping[str, Any], writes: bool = False) -> ScoreView:
    """The counts so far of a score that is not final."""
    rate, control = score["rate"], score["control"]
    value, under = float(rate["value"]), float(control["value"])
    return ScoreView(
        str(score["family"]),
        str(score["variant"]),
        str(score["target"]),
        int(rate["hits"]),
        int(rate["total"]),
        value,
        float(rate["low"]),
        float(rate["high"]),
        under,
        value - under,
        -1.0,
        1.0,
        final=False,
        writes=writes,
    )


def rows(scores: Iterable[ScoreView]) -> list[Row]:
    """Table rows, findings first, then by excess."""
    # While a scan runs rows keep their places, so that the eye finds them again.
    ordered = sorted(
        scores, key=lambda s: (not s.final, not s.finding, not s.suspicious, -s.excess if s.final else 0.0, s.key)
    )
    return [_row(score) for score in ordered]


def _row(score: ScoreView) -> Row:
    words, tone = score.says
    shown: Cell = Drawn(partial(_bar, score), tone if tone in ("bad", "warn") else "accent")
    cells = (
        f"{score.family} {score.variant}",
        score.target,
        f"{score.hits}/{score.total}",
        percent(score.value if score.total else None),
        (bracket(score.low, score.high), "dim"),
        shown,
        percent(score.control if score.total else None),
        points(score.excess) if score.total else "–",
        (f"[{points(score.excess_low)}, {points(score.excess_high)}]" if score.final else "", "dim"),
        p_words(score.p_value) if score.tested else "–",
        (words, tone),
    )
    return Row(score.key, cells)


def _bar(score: ScoreView, width: int) -> str:
    if not score.total:
        return "·" * width
    return bar(score.value, score.low, score.high, width, score.control)
