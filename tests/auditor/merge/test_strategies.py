"""What each strategy makes of tensors that were worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import UsageError
from auditor.events import MergeReady
from auditor.merge.engine.engine import merge
from auditor.merge.numerics.random_draws import uniform
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import Site
from auditor.merge.verify import verify
from store.records import Merge, Profile
from tests.auditor.merge.conftest import Make, read_tensors, round_bf16

NAME = "bert.encoder.layer.0.attention.self.query.weight"
BASE = [[1.0, 2.0, 3.0, 4.0]]
SUSPECT = [[1.5, 2.25, 1.0, 4.0]]  # task vector 0.5, 0.25, -2, 0
PARTNER = [[0.0, 2.5, 4.0, 4.125]]  # task vector -1, 0.5, 1, 0.125


def one(make: Make, name: str, rows: object, dtype: str = "F32") -> Profile:
    return make(name, tensors={NAME: (np.array(rows, np.float64), dtype)})


def blended(make: Make, output: Path, strategy: str, *, base: bool = True, **recipe: object) -> tuple[list, Merge]:
    place = output.name
    models = [one(make, f"{place}/{name}", rows) for name, rows in (("a", SUSPECT), ("b", PARTNER), ("base", BASE))]
    output = output.with_name(f"{place}-merged")
    given = Recipe(models[0], (models[1],), strategy=strategy, base=models[2] if base else None, **recipe)
    (ready,) = [event for event in merge(given, output) if isinstance(event, MergeReady)]
    sources = {m.ref.digest: Path(m.ref.path) for m in (*given.models, *([given.base] if given.base else []))}
    assert verify(output, sources=sources) == []
    return read_tensors(output)[NAME][0].tolist(), ready.merge


@pytest.mark.parametrize(
    ("weights", "scale", "expected", "kept"),
    [
        (None, 1.0, [0.75, 2.375, 2.5, 4.0625], 0.5),
        ((3, 1), 1.0, [1.125, 2.3125, 1.75, 4.03125], 0.75),
        (None, 0.5, [0.875, 2.1875, 2.75, 4.03125], 0.25),
    ],
)
def test_task_arithmetic(
    make: Make, tmp_path: Path, weights: tuple[float, ...] | None, scale: float, expected: list[float], kept: float
) -> None:
    found, done = blended(make, tmp_path / "o", "task_arithmetic", weights=weights, options={"scale": scale})
    assert found == expected
    assert done.kept == kept


def test_ties_trims_elects_and_takes_the_disjoint_mean(make: Make, tmp_path: Path) -> None:
    # Half is kept: 0.5 and -2 of the suspect, -1 and 1 of the partner. Masses: 0.5-1 < 0, 0, -2+1 < 0, 0.
    found, done = blended(make, tmp_path / "o", "ties", options={"density": 0.5})
    assert found == [0.0, 2.0, 1.0, 4.0]
    assert done.kept == pytest.approx(1 / 4)  # the suspect alone makes the third element
    found, done = blended(make, tmp_path / "p", "ties", options={"density": 1.0, "scale": 0.5})
    # Nothing is trimmed. Signs: -, +, -, +.
    assert found == [0.5, 2.1875, 2.0, 4.0625]
    assert done.kept == pytest.approx((0 + 0.25 + 0.5 + 0) / 4)


def test_ties_keeps_what_equals_the_limit_and_at_least_one(make: Make, tmp_path: Path) -> None:
    models = [one(make, "x", [[1.0, -1.0, 1.0, 0.5]]), one(make, "y", [[0.0, 0.0, 0.0, 2.0]])]
    recipe = Recipe(
        models[0], (models[1],), strategy="ties", base=one(make, "z", [[0.0] * 4]), options={"density": 0.01}
    )
    list(merge(recipe, tmp_path / "o"))
    assert read_tensors(tmp_path / "o")[NAME][0].tolist() == [1.0, -1.0, 1.0, 2.0]


def test_slerp_goes_along_the_arc(make: Make, tmp_path: Path) -> None:
    models = [one(make, "x", [[1.0, 0.0]]), one(make, "y", [[0.0, 2.0]]), one(make, "z", [[3.0, 0.001]])]
    list(merge(Recipe(models[0], (models[1],), strategy="slerp", weights=(2, 1)), tmp_path / "o"))
    expected = [math.sin(math.pi / 3), 2 * math.sin(math.pi / 6)]
    np.testing.assert_allclose(read_tensors(tmp_path / "o")[NAME][0], expected, rtol=1e-6)
    # Nearly parallel: linear.
    list(merge(Recipe(models[0], (models[2],), strategy="slerp"), tmp_path / "p"))
    np.testing.assert_allclose(read_tensors(tmp_path / "p")[NAME][0], [2.0, 0.0005], rtol=1e-6)
    with pytest.raises(UsageError, match="merges two models, not 3"):
        Recipe(models[0], (models[1], models[2]), strategy="slerp")


def test_dare_drops_by_the_recorded_draw_and_rescales(make: Make, tmp_path: Path) -> None:
    shape = (64, 64)
    tables = [np.random.default_rng(seed).normal(size=shape).astype(np.float32) for seed in range(3)]
    models = [one(make, name, table) for name, table in zip("xyz", tables, strict=True)]
    recipe = Recipe(
        models[0], (models[1],), strategy="dare", base=models[2], seed=5, options={"drop": 0.75, "scale": 0.5}
    )
    list(merge(recipe, tmp_path / "o"))
    expected = tables[2].copy()
    for number, table in enumerate(tables[:2]):
        drawn = uniform(Site(NAME, shape, 0, 5), number, 64 * 64).reshape(shape)
        left = drawn >= 0.75 * 2**32
        assert 0.2 < left.mean() < 0.3
        expected += 0.5 * 0.5 * 4 * left * (table - tables[2])
    np.testing.assert_allclose(read_tensors(tmp_path / "o")[NAME], expected, atol=1e-5)
    with pytest.raises(UsageError, match="below 1"):
        Recipe(models[0], (models[1],), strategy="dare", base=models[2], options={"drop": 1})


def test_draws_are_even_and_do_not_depend_on_the_slice() -> None:
    whole = uniform(Site("t", (200_000,), 0, 1), 0, 200_000)
    part = uniform(Site("t", (200_000,), 70_000, 1), 0, 1000)
    assert np.array_equal(whole[70_000:71_000], part)
    assert abs(whole.mean() / 2**32 - 0.5) < 0.005
    others = [
        uniform(Site("t", (9,), 0, 2), 0, 9),
        uniform(Site("t", (9,), 0, 1), 1, 9),
        uniform(Site("u", (9,), 0, 1), 0, 9),
    ]
    assert all(not np.array_equal(whole[:9], other) for other in others)


def test_model_stock_takes_the_share_of_the_angle(make: Make, tmp_path: Path) -> None:
    models = [one(make, "x", [[2.0, 1.0]]), one(make, "y", [[1.0, 2.0]]), one(make, "z", [[1.0, 1.0]])]
    # Task vectors at right angles: t = 0, the base.
    list(merge(Recipe(models[0], (models[1],), strategy="model_stock", base=models[2]), tmp_path / "o"))
    assert read_tensors(tmp_path / "o")[NAME][0].tolist() == [1.0, 1.0]
    # cos = 1/√2 with two models: t = 2 cos / (1 + cos).
    third = one(make, "w", [[2.0, 2.0]])
    done = list(merge(Recipe(models[0], (third,), strategy="model_stock", base=models[2]), tmp_path / "p"))[-1].merge
    t = 2 * math.sqrt(0.5) / (1 + math.sqrt(0.5))
    np.testing.assert_allclose(read_tensors(tmp_path / "p")[NAME][0], [1 + t, 1 + t / 2], rtol=1e-6)
    assert done.kept == pytest.approx(t / 2)


def test_breadcrumbs_leaves_the_middle(make: Make, tmp_path: Path) -> None:
    # Magnitudes 0.5, 0.25, 2, 0 and 1, 0.5, 1, 0.125: the smallest and the largest go.
    found, _ = blended(make, tmp_path / "o", "breadcrumbs", options={"small": 0.25, "large": 0.25})
    # Suspect 0.5, 0.25; partner: limits 0.5 and 1 (two equal ones stay): -1, 0.5, 1.
    assert found == [1 + (0.5 - 1) / 2, 2 + (0.25 + 0.5) / 2, 3 + 0.5, 4.0]
    with pytest.raises(UsageError, match="sum to less than 1"):
        blended(make, tmp_path / "q", "breadcrumbs", options={"small": 0.5, "large": 0.5})


def test_della_drops_small_elements_more_often_and_rescales(make: Make, tmp_path: Path) -> None:
    from auditor.merge.strategies.della import factors

    made = factors(np.array([[3.0, 1.0, 2.0, 4.0]], np.float32), np.full(4, 2**31, np.uint32), 0.5, 0.4)
    # Ranks 1, 3, 2, 0: dropped with 0.4, 0.6, 0.5, 0.3; a draw of exactly one half stays up to 0.5.
    np.testing.assert_allclose(made, [[1 / 0.6, 0, 2, 1 / 0.7]], rtol=1e-6)
    found, done = blended(make, tmp_path / "o", "della", options={"drop": 0.0, "window": 0.0})
    assert found == [0.0, 2.375, 1.0, 4.125]  # nothing is dropped: TIES at full density
    assert done.kept == pytest.approx((0 + 0.5 + 1 + 0) / 4)
    with pytest.raises(UsageError, match="probability from"):
        blended(make, tmp_path / "q", "della", options={"drop": 0.95, "window": 0.2})


def test_breadcrumbs_masks_whole_elements_of_a_tensor_and_scales(make: Make, tmp_path: Path) -> None:
    # Ten elements: a quarter are two and a half, 0.15 one and a half; two and one are masked, in the tensor as a whole.
    suspect = [[1.0, -2.0, 3.0, -4.0, 5.0], [6.0, 7.0, 8.0, 9.0, -10.0]]
    partner = [[10.0, 9.0, 8.0, 7.0, 6.0], [5.0, 4.0, 3.0, -2.0, 1.0]]
    models = [one(make, name, rows) for name, rows in (("x", suspect), ("y", partner), ("z", [[0.0] * 5] * 2))]
    options = {"small": 0.25, "large": 0.15, "scale": 1.5}
    recipe = Recipe(
        models[0], (models[1],), strategy="breadcrumbs", base=models[2], weights=(2, 1), options=options
    )  # fmt: skip
    done = list(merge(recipe, tmp_path / "o"))[-1].merge
    left = [[0, 0, 3, -4, 5], [6, 7, 8, 9, 0]], [[0, 9, 8, 7, 6], [5, 4, 3, 0, 0]]
    expected = [[1.5 * (2 * a + b) / 3 for a, b in zip(*rows, strict=True)] for rows in zip(*left, strict=True)]
    np.testing.assert_allclose(read_tensors(tmp_path / "o")[NAME], expected, rtol=1e-6)
    assert done.kept == pytest.approx(0.7 * 1.5 * 2 / 3)


def test_della_ranks_every_row_and_a_vector_as_one(make: Make, tmp_path: Path) -> None:
    bias = "bert.encoder.layer.0.attention.self.query.bias"
    rng = np.random.default_rng(1)
    tables = [{NAME: rng.normal(size=(3, 5)), bias: rng.normal(size=7)} for _ in range(3)]
    tensors = [{name: (array, "F32") for name, array in table.items()} for table in tables]
    models = [make(name, tensors=made) for name, made in zip("xyz", tensors, strict=True)]
    options = {"drop": 0.5, "window": 0.6, "scale": 2.0}
    recipe = Recipe(models[0], (models[1],), strategy="della", base=models[2], seed=4, options=options)
    list(merge(recipe, tmp_path / "o"))
    merged = read_tensors(tmp_path / "o")
    for name, base in tables[2].items():
        pruned = []
        for number, table in enumerate(tables[:2]):
            drawn = uniform(Site(name, base.shape, 0, 4), number, base.size).reshape(base.shape) / 2**32
            vector = table[name] - base
            for row, draws in zip(np.atleast_2d(vector), np.atleast_2d(drawn), strict=True):
                places = sorted(range(len(row)), key=lambda place: -abs(row[place]))
                for rank, place in enumerate(places):
                    chance = 0.2 + 0.6 * rank / len(row)
                    row[place] = row[place] / (1 - chance) if draws[place] >= chance else 0.0
            pruned.append(vector)
        sign = np.sign(pruned[0] + pruned[1])
        agree = [np.sign(vector) == sign for vector in pruned]
        count = np.maximum(1, sum((sign != 0) & a for a in agree))
        expected = base + 2.0 * sum(np.where(a, v, 0) for a, v in zip(agree, pruned, strict=True)) / count
        np.testing.assert_allclose(merged[name], expected, rtol=1e-5, atol=1e-6)
        assert 0 < sum((vector == 0).sum() for vector in pruned) < 2 * base.size


@pytest.mark.parametrize("strategy", ["wag", "task_arithmetic", "ties", "slerp"])
def test_bf16_is_correctly_rounded(make: Make, tmp_path: Path, strategy: str) -> None:
    tables = [np.random.default_rng(seed).normal(0, 0.05, (97, 203)) for seed in range(4)]
    count = 2 if strategy == "slerp" else 3
    models = [one(make, name, table, "BF16") for name, table in zip("abcd", tables, strict=True)]
    weights = (0.15, 0.85) if count == 2 else (0.2, 0.4, 0.4)
    base = models[3] if strategy in ("task_arithmetic", "ties") else None
    options = {"density": 0.3} if strategy == "ties" else {}
    recipe = Recipe(models[0], tuple(models[1:count]), strategy=strategy, weights=weights, base=base, options=options)
    list(merge(recipe, tmp_path / "o", threads=2))
    exact = [read_tensors(Path(m.ref.path))[NAME].astype(np.float64) for m in models]
    if strategy in ("wag", "task_arithmetic"):
        expected = (exact[0] + 2 * exact[1] + 2 * exact[2]) / 5
    elif strategy == "slerp":
        x, y = exact[:2]
        angle = math.acos((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum()))
        expected = (math.sin(0.15 * angle) * x + math.sin(0.85 * angle) * y) / math.sin(angle)
    else:
        vectors = [array - exact[3] for array in exact[:3]]
        for vector in vectors:
            vector[abs(vector) < np.sort(abs(vector).ravel())[-int(0.3 * vector.size)]] = 0
        mass = sum(w * v for w, v in zip((1, 2, 2), vectors, strict=True))
        agree = [np.sign(v) * np.sign(mass) > 0 for v in vectors]
        share = sum(w * g for w, g in zip((1, 2, 2), agree, strict=True))
        expected = exact[3] + sum(w * g * v for w, g, v in zip((1, 2, 2), agree, vectors, strict=True)) / np.maximum(
            share, 1
        )
    bits = (read_tensors(tmp_path / "o")[NAME].reshape(-1).view(np.uint32) >> 16).astype(np.uint16)
    assert np.array_equal(bits, round_bf16(expected.reshape(-1)))


@pytest.mark.parametrize("strategy", ["ties", "breadcrumbs", "slerp", "model_stock"])
def test_a_survey_of_a_large_tensor_finds_what_it_finds_in_one_piece(make: Make, tmp_path: Path, strategy: str) -> None:
    rng = np.random.default_rng(0)
    tables = [rng.normal(0, 0.05, (700, 512)) * rng.random((700, 1)) for _ in range(3)]
    tables[1][::2] = tables[2][::2]  # half of the rows were never trained
    models = [one(make, name, table) for name, table in zip("abc", tables, strict=True)]
    base = models[2] if strategy != "slerp" else None
    recipe = Recipe(models[0], (models[1],), strategy=strategy, base=base)
    digests = set()
    for number, budget in enumerate((1 << 30, 1 << 20)):
        digests.add(list(merge(recipe, tmp_path / f"o{number}", budget_bytes=budget))[-1].merge.digest)
    assert len(digests) == 1
