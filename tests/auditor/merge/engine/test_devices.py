"""Tensors dealt out to several devices: who makes which, and that the result does not tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import ModelError
from auditor.events import MergeReady
from auditor.merge.engine import engine
from auditor.merge.engine.devices import deal, moved
from auditor.merge.engine.engine import merge
from auditor.merge.engine.slices import FIXED, SCRATCH
from auditor.merge.layout.layout import lay_out
from auditor.merge.numerics.arithmetic import Arithmetic, Raw
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import STRATEGIES, Array
from auditor.merge.verify import verify
from store.records import Merge
from tests.auditor.merge.conftest import Make, make_tensors

DEVICES = ("one", "two", "three")
Made = dict[str, int]


@pytest.mark.parametrize(
    ("sizes", "devices", "expected"),
    [
        ([7, 3, 5, 1], 2, (0, 1, 1, 0)),
        ([4, 4, 4], 2, (0, 1, 0)),
        ([1, 2, 3], 1, (0, 0, 0)),
        ([5, 9], 4, (1, 0)),
        ([0, 0, 8], 2, (1, 1, 0)),
        ([], 3, ()),
    ],
)
def test_the_largest_goes_first_to_the_least_loaded(sizes: list[int], devices: int, expected: tuple[int, ...]) -> None:
    assert deal(sizes, devices) == expected


@given(st.lists(st.integers(0, 1 << 40), max_size=40), st.integers(1, 8))
def test_no_device_has_more_than_a_third_above_what_some_must_have(sizes: list[int], devices: int) -> None:
    dealt = deal(sizes, devices)
    loads = [sum(size for size, device in zip(sizes, dealt, strict=True) if device == n) for n in range(devices)]
    assert sum(loads) == sum(sizes)
    largest = sorted(sizes, reverse=True)
    # No plan is better than an even one, than the largest alone, or than two of the devices + 1 largest together.
    least = max(sum(sizes) / devices, *largest[:1], sum(largest[devices - 1 : devices + 1]), 0)
    assert max(loads) <= 4 / 3 * least + 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Lets merges on `cuda` run on three devices of torch that are none; holds the bytes that each has made."""
    from auditor.merge.numerics.cuda import TorchArithmetic

    found = dict.fromkeys(DEVICES, 0)

    class Counting(TorchArithmetic):
        def __init__(self, device: str) -> None:
            super().__init__("cpu")
            self.device = device

        def encode(self, array: Array, dtype: str, slot: str) -> Raw:
            raw = super().encode(array, dtype, slot)
            found[self.device] = found.get(self.device, 0) + raw.nbytes
            return raw

    def maker(device: str) -> Callable[[], Arithmetic]:
        return lambda: Counting(device)

    monkeypatch.setattr(engine, "open_arithmetic", maker)
    monkeypatch.setattr(engine, "pick_devices", lambda name: DEVICES if name == "cuda" else (DEVICES[0],))
    return found


def run(recipe: Recipe, output: Path, **options: Any) -> Merge:
    (ready,) = [event for event in merge(recipe, output, **options) if isinstance(event, MergeReady)]
    return ready.merge


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"fisher", "regmean", "guided_substitution"}))
@pytest.mark.parametrize("threads", [1, 2])
def test_the_result_does_not_depend_on_the_number_of_devices(
    make: Make, tmp_path: Path, made: Made, strategy: str, threads: int
) -> None:
    models = [make(name, seed, dtype="BF16", hidden=72, shards=3) for seed, name in enumerate("abc")]
    base = models[2] if STRATEGIES[strategy].needs_base else None
    recipe = Recipe(models[0], (models[1],), strategy=strategy, base=base)
    alone = run(recipe, tmp_path / "alone", device="cuda:0", threads=threads)
    assert made["two"] == made["three"] == 0
    shared = run(recipe, tmp_path / "shared", device="cuda", threads=threads)
    assert (shared.digest, shared.kept) == (alone.digest, alone.kept)
    assert shared.device == "one, two, three"
    assert made["two"] > 0
    assert made["three"] > 0
    assert verify(tmp_path / "shared", sources={m.ref.digest: Path(m.ref.path) for m in models}) == []


def test_each_device_makes_the_tensors_that_were_dealt_to_it(make: Make, tmp_path: Path, made: Made) -> None:
    models = [make(name, seed, hidden=48) for seed, name in enumerate("ab")]
    recipe = Recipe(models[0], (models[1],))
    tensors = lay_out(recipe).tensors
    assert moved(tensors[0]) == 3 * 4 * tensors[0].elements
    dealt = deal([moved(tensor) for tensor in tensors], 3)
    run(recipe, tmp_path / "out", device="cuda")
    for number, device in enumerate(DEVICES):
        assert made[device] == sum(4 * t.elements for t, n in zip(tensors, dealt, strict=True) if n == number)


def test_devices_for_which_the_memory_does_not_suffice_are_left_out(make: Make, tmp_path: Path, made: Made) -> None:
    models = [make(name, seed, hidden=64) for seed, name in enumerate("abc")]
    recipe = Recipe(models[0], (models[1],), strategy="della", base=models[2])
    row = 64 * (3 * SCRATCH + FIXED)
    run(recipe, tmp_path / "out", device="cuda", threads=1, budget_bytes=2 * row)
    assert made["two"] > 0
    assert made["three"] == 0


def test_what_one_device_finds_wrong_ends_the_merge(make: Make, tmp_path: Path, made: Made) -> None:
    tensors = make_tensors(1)
    array, dtype = tensors["classifier.weight"]
    tensors["classifier.weight"] = (np.full_like(array, np.nan), dtype)
    models = [make("a", 0), make("sick", tensors=tensors)]
    with pytest.raises(ModelError, match=r"sick: tensor classifier.weight .* holds NaN"):
        run(Recipe(models[0], (models[1],)), tmp_path / "out", device="cuda")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "sick"]


def test_a_source_that_has_changed_is_seen_on_several_devices(make: Make, tmp_path: Path, made: Made) -> None:
    models = [make("a", 0), make("b", 1)]
    weights = Path(models[1].ref.path) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="has changed since it was profiled"):
        run(Recipe(models[0], (models[1],)), tmp_path / "out", device="cuda")
    assert not (tmp_path / "out").exists()


@pytest.mark.gpu
def test_several_gpus_make_what_one_makes(make: Make, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.device_count() < 2:
        pytest.skip("fewer than two CUDA devices")
    models = [make(name, seed, dtype="BF16", hidden=512) for seed, name in enumerate("abc")]
    for strategy in ("wag", "ties", "della"):
        base = models[2] if STRATEGIES[strategy].needs_base else None
        recipe = Recipe(models[0], (models[1],), strategy=strategy, base=base)
        alone = run(recipe, tmp_path / f"{strategy}-alone", device="cuda:0")
        shared = run(recipe, tmp_path / f"{strategy}-shared", device="cuda")
        assert shared.digest == alone.digest
        assert shared.device == ", ".join(f"cuda:{n}" for n in range(torch.cuda.device_count()))
