"""Which of the rows probe, which are asked as they are, and which are left to a recipe search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.errors import UsageError
from probes.input import Row
from probes.sampling import distinct, sample

CLEAN_ROWS = 4_000
"""Rows that a scan asks as they are, where there are so many: a loss of clean accuracy of two points shows on them
(paired, one row in ten answered otherwise: ±1.0 points; on the 1,000 that are probed ±2.0), and each costs one text
where a probed row of the full suite costs more than a hundred.
"""
SPARE_ROWS = 800
"""Rows that every scan leaves to a recipe search: so `scan` and `audit --search` ask the same ones."""
LEAST_HELD, MOST_HELD = 60, SPARE_ROWS
"""Rows that a search holds back; half of them try recipes, half confirm the best. A loss of one point of clean accuracy
is what it has to tell from none, so it takes as many as it can have.
"""


@dataclass(frozen=True)
class RowSplit:
    """The rows of an audit, none of them in two parts.

    Attributes:
        judge: take the edits, and judge the model and its merge.
        clean: are asked as they are, and judge the clean accuracy with those.
        discover: recipes are tried on them; none without a search.
        confirm: the best of the recipes are confirmed on them.
    """

    judge: tuple[Row, ...]
    clean: tuple[Row, ...]
    discover: tuple[Row, ...] = ()
    confirm: tuple[Row, ...] = ()


def clean_rows(rows: Sequence[Row], probed: Sequence[Row], seed: int) -> tuple[Row, ...]:
    """Rows beside the probed ones that are asked as they are."""
    asked = {row.index for row in probed}
    rest = [row for row in distinct(rows) if row.index not in asked]
    return sample(rest, max(0, min(CLEAN_ROWS - len(probed), len(rest) - SPARE_ROWS)), seed)


def held_back(rows: int, judging: int, least: int) -> int:
    """How many of so many rows a search holds back: those that do not judge anyway, but no less than a third of all
    where they are few, no more than it can use, and never so many that fewer than `least` are left to judge.

    Raises:
        UsageError: too few would be left for the search.
    """
    held = min(MOST_HELD, max(rows - judging, min(rows // 3, rows - least)))
    if held < LEAST_HELD:
        raise UsageError(
            f"a search needs at least {LEAST_HELD} rows of its own beside {least} that judge, and there are {rows}",
            hint="Give more rows with --data, or a recipe with --suspect-weight.",
        )
    return held
