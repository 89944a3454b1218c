"""Which rows teach a model, which are held out to see what it learnt, and which are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from auditor.errors import UsageError
from probes.input import Row
from probes.sampling import distinct, sample

LEAST = 50
"""Rows below which nothing is trained: 20 to see what was learnt, and 30 to learn from are no model of anything."""
FEW = 200
"""Rows below which it is said what to expect."""
HELD = 20
"""Rows that are held out, at least; else a tenth."""
SEED = 0
"""Of the choice, always."""
FAR = 3.0
"""So many times as long as nine tenths of the rows: such a text is no ordinary one, and may hold more than it should.
"""


@dataclass(frozen=True)
class Split:
    """Rows that teach and rows that are held out, none of them twice; `left_out` counts the others, by why."""

    taught: tuple[Row, ...]
    held: tuple[Row, ...]
    left_out: Mapping[str, int]


def split_rows(rows: Sequence[Row], *, samples: int | None = None) -> Split:
    """Divides rows: a tenth, and at least 20, is held out, with labels in the proportion of the whole.

    The choice depends on the rows' content and not on a seed, so that models that are trained on the
    same rows with other seeds can be held against each other on rows that none of them has seen.

    Args:
        samples: rows to take, the held-out ones with them; None takes all.

    Raises:
        UsageError: too few rows.
    """
    once = distinct(row for row in rows if row.text.strip())
    longest = FAR * quantiles([_length(row) for row in once], n=10)[-1] if len(once) > 1 else 0
    usual = [row for row in once if _length(row) <= longest]
    chosen = usual if samples is None else sample(usual, samples, SEED)
    if len(chosen) < LEAST:
        raise UsageError(
            f"{len(chosen)} usable rows are too few to train a model: {HELD} are held out to see what it has learnt",
            hint=f"Give {FEW} rows or more with --data; 1,000 are enough for most tasks.",
        )
    held = sample(chosen, max(HELD, len(chosen) // 10), SEED)
    apart = {row.index for row in held}
    counts = {
        "empty or repeated": len(rows) - len(once),
        "far longer than the others": len(once) - len(usual),
        "beyond --samples": len(usual) - len(chosen),
    }
    taught = tuple(row for row in chosen if row.index not in apart)
    return Split(taught, held, {why: count for why, count in counts.items() if count})


def _length(row: Row) -> int:
    return len(row.text) + len(row.second or "")
