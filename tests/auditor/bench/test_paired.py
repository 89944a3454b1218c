"""What changed between two models' benchmarks: paired by row, with interval and p-value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from auditor.bench.paired import changes
from auditor.reports.benchmarks import changes_text, delta_in
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import BenchmarkRow, BenchmarkScore


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


def stored(catalog: Catalog, key: str, metric: str, values: Sequence[Any], value: float) -> BenchmarkScore:
    """A score whose rows lie in the catalog, in two parts."""
    run = catalog.benchmarks.open(key, model_digest=key, task="task")
    rows = [BenchmarkRow(f"row {place}", {metric: one}) for place, one in enumerate(values)]
    for number, part in enumerate((rows[:3], rows[3:])):
        catalog.benchmarks.store_part(run.id, number, part, parts=2)
    return BenchmarkScore("task", metric, value, math.nan, len(rows), key, "asked", metric != "perplexity", True)


def test_what_is_right_or_wrong_is_tested_by_mcnemar(catalog: Catalog) -> None:
    before, after = [1.0] * 30 + [0.0] * 10, [1.0] * 22 + [0.0] * 17 + [1.0]
    was, now = (
        stored(catalog, key, "acc", values, sum(values) / 40) for key, values in (("before", before), ("after", after))
    )
    (found,) = changes([was], [now], catalog.benchmarks)
    assert found.delta is not None
    assert found.delta.value == pytest.approx((23 - 30) / 40)
    assert found.p_value == pytest.approx(stats.binomtest(1, 9, 0.5).pvalue)
    assert found.most_lost == -found.delta.low > 7 / 40
    assert "points" not in delta_in(found)
    assert changes_text([found])[-1].startswith("task acc")


def test_a_perplexity_changes_by_a_part_of_itself(catalog: Catalog) -> None:
    logs = [-1.0, -2.0, -0.5, -3.0, -2.5, -1.25]
    was = stored(catalog, "before", "perplexity", logs, math.exp(10.25 / 6))
    now = stored(catalog, "after", "perplexity", [x - 0.1 * (1 + i % 2) for i, x in enumerate(logs)], 6.4)
    (found,) = changes([was], [now], catalog.benchmarks)
    assert found.relative
    assert found.delta is not None
    assert found.delta.value == pytest.approx(math.expm1(0.15))
    assert found.most_lost == found.delta.high > found.delta.value
    expected = stats.ttest_1samp([0.1, 0.2] * 3, 0).pvalue
    assert found.p_value == pytest.approx(expected)


def test_windows_weigh_as_many_tokens_as_they_have(catalog: Catalog) -> None:
    one = [(10.0 * n, 10.0 * n) for n in range(1, 7)]
    two = [(12.0 * n, 10.0 * n) for n in range(1, 7)]
    was = stored(catalog, "before", "perplexity", one, math.e)
    now = stored(catalog, "after", "perplexity", two, math.exp(1.2))
    (found,) = changes([was], [now], catalog.benchmarks)
    assert found.delta is not None
    assert found.delta.value == pytest.approx(math.expm1(0.2))
    assert found.delta.high == pytest.approx(found.delta.value), "each window lost as much a token"
    longer = stored(catalog, "longer", "perplexity", [(a, b + 1) for a, b in two], 3.0)
    (found,) = changes([was], [longer], catalog.benchmarks)
    assert found.delta is None, "another tokenizer's tokens are no pairs"


def test_what_was_not_asked_alike_is_not_paired(catalog: Catalog) -> None:
    was, now = (stored(catalog, key, "acc", [1.0] * 6, 1.0) for key in ("before", "after"))
    for other in (replace(now, asked="5 examples"), replace(now, run="gone"), replace(now, run="")):
        (found,) = changes([was], [other], catalog.benchmarks)
        assert (found.delta, found.p_value, found.most_lost) == (None, None, None)
        assert delta_in(found) == "cannot be paired"
    assert changes([was], [replace(now, task="another")], catalog.benchmarks) == ()
    (found,) = changes([was], [now], catalog.benchmarks)
    assert found.p_value == 1.0


def test_rows_come_back_as_they_were(catalog: Catalog) -> None:
    values: dict[str, Any] = {"a": math.nan, "b": (1.0, (2.0, "text")), "c": -math.inf, "d": None}
    run = catalog.benchmarks.open("key", model_digest="digest", task="task")
    catalog.benchmarks.store_part(run.id, 0, [BenchmarkRow("row", values)], parts=2)
    catalog.benchmarks.store_part(run.id, 0, [BenchmarkRow("another", {})], parts=2)
    found = catalog.benchmarks.find("key")
    assert found is not None
    assert not found.whole
    (row,) = found.rows
    assert row.digest == "row", "what was stored first is kept"
    assert math.isnan(row.values["a"])
    assert {k: v for k, v in row.values.items() if k != "a"} == {k: v for k, v in values.items() if k != "a"}
    assert [r.key for r in catalog.benchmarks.of_model("digest")] == ["key"]
    assert catalog.benchmarks.open("key", model_digest="digest", task="task", fresh=True).scored == {}
