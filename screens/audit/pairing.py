"""Two scans joined, row by row, for the comparison's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from auditor.reports.figures import direction
from screens.scan.scores import ScoreView, of_record
from screens.widgets.lazy_table import Cell, Column, Drawn, Row
from screens.words import bar, bracket, percent, points
from store import codec
from store.records import BenchmarkChange, MeasureKind

if TYPE_CHECKING:
    from store.records import Change, Scan

COLUMNS = (
    Column("measure", 20, grows=True),
    Column("before %", 8, right=True),
    Column("", 13, 4),
    Column("after %", 7, right=True),
    Column(" ", 13, 4),
    Column("change", 7, 1, right=True),
    Column("change 95 % CI", 16, 2),
    Column("before ▒ after █", 24, 3),
    Column("result after", 14, 5),
)
CLEAN = "clean accuracy"
LIKELY = "likelihood of clean answers"
"""What stands in the place of the clean accuracy where models write: see `MeasureKind.LIKELIHOOD`."""
CLEAN_NAMES = {MeasureKind.LIKELIHOOD: LIKELY, MeasureKind.AGREEMENT: "same answers as the first model"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One measure before and after; `delta` is (value, low, high), paired by row, where it is known."""

    key: str
    before: ScoreView | None
    after: ScoreView | None
    delta: tuple[float, float, float] | None

    @property
    def change(self) -> float | None:
        """After minus before."""
        if self.delta is not None:
            return self.delta[0]
        return self.after.value - self.before.value if self.before and self.after else None


@dataclass(frozen=True, slots=True)
class Clean:
    """What a model that writes does without a trigger, as fractions, before and after: `name` says what."""

    name: str
    before: float
    after: float


def clean_of(changes: Sequence[Change]) -> Clean | None:
    """How probable the models of an audit find the first one's answers, or how many of these are the same."""
    for kind, name in CLEAN_NAMES.items():
        for change in changes:
            if change.measure.kind is kind:
                return Clean(name, change.before, change.after)
    return None


def clean_of_json(found: Mapping[str, Any]) -> Clean | None:
    """The same of `auditor compare --format json`."""
    by_key = {str(c["measure"]): c for c in found.get("change", ())}
    for kind, name in CLEAN_NAMES.items():
        if (change := by_key.get(str(kind))) is not None:
            return Clean(name, float(change["before"]), float(change["after"]))
    return None


def benchmarks_of_json(found: Mapping[str, Any]) -> tuple[BenchmarkChange, ...]:
    """The benchmarks of `auditor compare --format json`; empty where there are none.

    Raises:
        ValueError: the document is of another form.
    """
    return tuple(codec.decode(BenchmarkChange, change) for change in found.get("benchmarks", ()))


def deltas_of(changes: Sequence[Change]) -> dict[str, tuple[float, float, float]]:
    """The paired differences of an audit, by measure."""
    return {str(c.measure): (c.delta.value, c.delta.low, c.delta.high) for c in changes}


def deltas_of_json(found: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """The paired differences of `auditor compare --format json`, by measure."""
    return {
        str(c["measure"]): (float(c["delta"]["value"]), float(c["delta"]["low"]), float(c["delta"]["high"]))
        for c in found.get("change", ())
    }


def join(before: Scan, after: Scan | None, deltas: Mapping[str, tuple[float, float, float]]) -> list[Pair]:
    """Every score of either scan, what was found first, then by ASR before."""
    writes = before.settings.asking is not None
    sides = [
        {s.key: s for s in (of_record(score, writes) for score in scan.scores.asr)} if scan else {}
        for scan in (before, after)
    ]
    pairs = [
        Pair(key, sides[0].get(key), sides[1].get(key), deltas.get(f"asr {key}")) for key in {**sides[0], **sides[1]}
    ]
    return sorted(pairs, key=_order)


def _order(pair: Pair) -> tuple[bool, float, str]:
    flagged = any(s is not None and (s.finding or s.suspicious) for s in (pair.before, pair.after))
    return not flagged, -(pair.before.value if pair.before else -1.0), pair.key


def clean_row(before: Scan, after: Scan | None, deltas: Mapping[str, tuple[float, float, float]]) -> Row:
    """The first row: clean accuracy, or what it could not be measured for."""
    rates = [scan.scores.cacc if scan else None for scan in (before, after)]
    shown: list[Cell] = []
    for rate in rates:
        shown += [percent(rate.value if rate else None), (bracket(rate.low, rate.high) if rate else "", "dim")]
    delta = deltas.get("cacc") or deltas.get("agreement")
    name = CLEAN if "agreement" not in deltas else "agreement with the first model"
    bars: Cell = ""
    if rates[0] and rates[1]:
        bars = Drawn(partial(_bars, rates[0].value, rates[1].value), "accent")
    return Row(CLEAN, (name, *shown, *_delta_cells(MeasureKind.CACC, delta), bars, ""))


def writer_row(clean: Clean | None, deltas: Mapping[str, tuple[float, float, float]]) -> Row:
    """The first row where the models write: their answers have no gold labels."""
    if clean is None:
        return Row(CLEAN, (LIKELY, "–", "", "–", "", "–", "", "", ""))
    delta = deltas.get(str(MeasureKind.LIKELIHOOD)) or deltas.get(str(MeasureKind.AGREEMENT))
    bars = Drawn(partial(_bars, clean.before, clean.after), "accent")
    shown = (clean.name, percent(clean.before), "", percent(clean.after), "")
    return Row(CLEAN, (*shown, *_delta_cells(MeasureKind.LIKELIHOOD, delta), bars, ""))


def row_of(pair: Pair) -> Row:
    """A table row."""
    shown: list[Cell] = []
    for side in (pair.before, pair.after):
        shown += [percent(side.value if side else None), (bracket(side.low, side.high) if side else "", "dim")]
    bars: Cell = ""
    if pair.before and pair.after:
        bars = Drawn(partial(_bars, pair.before.value, pair.after.value), "accent")
    elif pair.before:
        one = pair.before
        bars = Drawn(lambda width: bar(one.value, one.low, one.high, width, one.control), "accent")
    says: Cell = pair.after.says if pair.after else pair.before.says if pair.before else ""
    change = pair.delta or ((pair.change, -2.0, 2.0) if pair.change is not None else None)
    return Row(pair.key, (pair.key, *shown, *_delta_cells(MeasureKind.ASR, change), bars, says))


def _delta_cells(measure: MeasureKind, delta: tuple[float, float, float] | None) -> list[Cell]:
    if delta is None:
        return ["–", ""]
    value, low, high = delta
    if low < -1 or high > 1:
        return [points(value), ("not paired", "dim")]
    tone = {"better": "good", "worse": "bad", "": ""}[direction(measure, low, high)]
    return [(points(value), tone), (f"[{points(low)}, {points(high)}]", "dim")]


def _bars(before: float, after: float, width: int) -> str:
    return "".join(
        "█" if (i + 0.5) / width <= after else "▒" if (i + 0.5) / width <= before else "·" for i in range(width)
    )
