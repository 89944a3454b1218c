"""What benchmarks say of a model, row by row and over all rows, and what changed between two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.rates import Difference


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One scored row: `digest` says which row it is, so that two models' rows are paired.

    `values` are by metric: a number, or a tuple of what the metric is made of over all rows.
    """

    digest: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BenchmarkScore:
    """One metric of a benchmark.

    Attributes:
        task, metric: which; `value` is a fraction for accuracies.
        stderr: its standard error; NaN where it has none.
        rows: that it is over.
        run: the key of the stored rows.
        asked: how the model was asked, in words.
        higher_is_better: False for perplexities.
        main: whether it is the one that the task is judged by.
    """

    task: str
    metric: str
    value: float
    stderr: float
    rows: int
    run: str = ""
    asked: str = ""
    higher_is_better: bool = True
    main: bool = False


@dataclass(frozen=True, slots=True)
class BenchmarkChange:
    """One metric of a benchmark before and after a cure, on the same rows.

    Attributes:
        delta: paired by row. Of a fraction it is after − before; of a perplexity, by how much of itself it rose
            (after ÷ before − 1). None where the rows cannot be paired.
        p_value: two-sided: McNemar's exact test for what is right or wrong, else Student's t on the paired differences.
        relative: whether `delta` is relative.
        main: whether it is the one that the task is judged by.
    """

    task: str
    metric: str
    before: float
    after: float
    rows: int
    delta: Difference | None
    p_value: float | None
    relative: bool = False
    higher_is_better: bool = True
    main: bool = False

    @property
    def most_lost(self) -> float | None:
        """How much may be lost, at the upper bound of its 95 % interval; None where nothing is known of it."""
        if self.delta is None:
            return None
        return -self.delta.low if self.higher_is_better else self.delta.high


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """A model's rows of one task, as far as they are scored, in order of their parts.

    `parts` is how many there will be; None until that is known.
    """

    id: int
    key: str
    model_digest: str
    task: str
    parts: int | None
    scored: Mapping[int, tuple[BenchmarkRow, ...]]

    @property
    def whole(self) -> bool:
        return self.parts is not None and len(self.scored) == self.parts

    @property
    def rows(self) -> tuple[BenchmarkRow, ...]:
        """The scored rows in order."""
        return tuple(row for number in sorted(self.scored) for row in self.scored[number])
