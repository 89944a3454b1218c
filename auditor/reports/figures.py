"""Numbers as people read them: percent with one decimal, points, intervals, and the geometry of interval bars.

Input is fractions, as everywhere in the records; output is percent and percentage points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from probes.input import Generate
from probes.rates import Difference, Rate
from store.records import MeasureKind

MINUS = "−"


def percent(value: float) -> str:
    """`0.975` → `97.5 %`."""
    return f"{_decimal(value)} %"


def points(value: float) -> str:
    """A signed difference in percentage points: `0.852` → `+85.2`."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text.replace("-", MINUS)


def interval(rate: Rate) -> str:
    """`[94.9–98.9]`, in percent."""
    return f"[{_decimal(rate.low)}–{_decimal(rate.high)}]"


def counts(rate: Rate) -> str:
    """`390/400`, and how many could not be scored."""
    return f"{rate.hits}/{rate.total}" + (f", {rate.unscored} unscored" if rate.unscored else "")


def rate_words(rate: Rate) -> str:
    """`97.5 % [94.9–98.9] 390/400`."""
    if not rate.total:
        return f"not scored {counts(rate)}"
    return f"{percent(rate.value)} {interval(rate)} {counts(rate)}"


def share(rate: Rate) -> str:
    """A rate's value alone, a dash where nothing was scored."""
    return percent(rate.value) if rate.total else "–"


def difference_interval(difference: Difference) -> str:
    """`[+81.0, +88.9]`, in points."""
    return f"[{points(difference.low)}, {points(difference.high)}]"


def difference_words(difference: Difference) -> str:
    """`+85.2 [+81.0, +88.9]`, in points."""
    return f"{points(difference.value)} {difference_interval(difference)}"


def direction(measure: MeasureKind, low: float, high: float) -> Literal["better", "worse", ""]:
    """What a change of a measure is for the user, from its interval; empty where that holds zero.

    An attack success rate is better the lower it is, clean accuracy and agreement the higher.
    """
    rises = measure is not MeasureKind.ASR
    if low > 0:
        return "better" if rises else "worse"
    if high < 0:
        return "worse" if rises else "better"
    return ""


def p_words(p_value: float) -> str:
    """Four decimals; smaller ones as `<0.0001`."""
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def width_in_points(rate: Rate) -> float:
    """The width of a rate's interval, in points."""
    return (rate.high - rate.low) * 100


def number(value: int) -> str:
    """`22713728` → `22.7 M`; below a thousand as it is."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return str(value)


def memory(size: int) -> str:
    """Bytes in MiB or GiB."""
    gib = size / 2**30
    return f"{gib:.1f} GiB" if gib >= 1 else f"{size / 2**20:.0f} MiB"


def _decimal(value: float) -> str:
    return f"{value * 100:.1f}" if math.isfinite(value) else "?"


@dataclass(frozen=True, slots=True)
class Bar:
    """A rate as a bar with its interval, in pixels from the left of a scale that ends at 100 %."""

    value: float
    low: float
    high: float


def bar(rate: Rate, length: float) -> Bar:
    """Where a rate's bar ends and its interval lies on a scale of `length` pixels."""
    return Bar(round(rate.value * length, 1), round(rate.low * length, 1), round(rate.high * length, 1))


def asking_words(how: Generate) -> str:
    """How a model that writes was asked."""
    decoding = f"{how.beams} beams" if how.beams > 1 else "the likeliest token each time"
    if how.temperature:
        decoding = f"temperature {how.temperature:g}, top-p {how.top_p:g}"
    return f"template {how.template}, answers of at most {how.tokens} tokens, {decoding}"
