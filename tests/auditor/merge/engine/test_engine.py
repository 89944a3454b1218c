"""What a merge writes: exact, deterministic, bounded in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from auditor.events import MergeReady, Progress, Stage, Warned
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import STRATEGIES
from auditor.models.files.profile import read_profile
from store.records import Merge, Profile
from tests.auditor.merge.conftest import Make, Tensors, make_tensors, read_tensors, round_bf16


def run(recipe: Recipe, output: Path, **options: object) -> Merge:
    (ready,) = [event for event in merge(recipe, output, **options) if isinstance(event, MergeReady)]
    return ready.merge


def stored(profile: Profile) -> dict[str, np.ndarray]:
    return read_tensors(Path(profile.ref.path))


def mean(profiles: list[Profile], weights: list[float] | None = None) -> dict[str, np.ndarray]:
    tables = [stored(profile) for profile in profiles]
    return {
        name: np.average([table[name].astype(np.float64) for table in tables], axis=0, weights=weights)
        for name in tables[0]
    }


def test_wag_is_the_mean_of_every_tensor(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed) for seed, name in enumerate("abc")]
    done = run(Recipe(models[0], tuple(models[1:])), tmp_path / "out")
    merged, expected = read_tensors(tmp_path / "out"), mean(models)
    assert merged.keys() == expected.keys()
    for name, array in merged.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)
    assert done.kept == pytest.approx(1 / 3)
    assert done.digest == read_profile(tmp_path / "out").ref.digest


@pytest.mark.parametrize("weights", [(0.2, 0.5, 0.3), (1.0, 0.0, 3.0), (0.0, 2.0, 2.0)])
def test_weights_are_normalised_and_the_suspects_comes_first(
    make: Make, tmp_path: Path, weights: tuple[float, ...]
) -> None:
    models = [make(name, seed) for seed, name in enumerate("abc")]
    done = run(Recipe(models[0], tuple(models[1:]), weights=weights), tmp_path / "out")
    expected = mean(models, list(weights))
    for name, array in read_tensors(tmp_path / "out").items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)
    assert done.suspect_weight == done.kept == pytest.approx(weights[0] / sum(weights))
    assert [partner.weight for partner in done.partners] == pytest.approx([w / sum(weights) for w in weights[1:]])


def test_bf16_is_rounded_once_to_the_nearest(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed, dtype="BF16", hidden=256) for seed, name in enumerate("abc")]
    run(Recipe(models[0], tuple(models[1:])), tmp_path / "out")
    expected = mean(models)
    for name, array in read_tensors(tmp_path / "out").items():
        bits = (array.reshape(-1).view(np.uint32) >> 16).astype(np.uint16)
        assert np.array_equal(bits, round_bf16(expected[name].reshape(-1))), name


@pytest.mark.parametrize("dtype", ["F16", "F64"])
def test_other_floats_are_rounded_once_too(make: Make, tmp_path: Path, dtype: str) -> None:
    models = [make(name, seed, dtype=dtype) for seed, name in enumerate("ab")]
    run(Recipe(models[0], (models[1],)), tmp_path / "out")
    expected = mean(models)
    for name, array in read_tensors(tmp_path / "out").items():
        assert np.array_equal(array, expected[name].astype(array.dtype)), name


def test_mixed_dtypes_take_the_suspects(make: Make, tmp_path: Path) -> None:
    models = [
        make(name, seed, dtype=dtype) for seed, (name, dtype) in enumerate([("a", "F32"), ("b", "BF16"), ("c", "F16")])
    ]
    done = run(Recipe(models[0], tuple(models[1:])), tmp_path / "out")
    expected = mean(models)
    for name, array in read_tensors(tmp_path / "out").items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)
    assert any("dtype" in note and "b" in note for note in done.notes)


def test_shards_are_those_of_the_suspect_whatever_the_partners_are(make: Make, tmp_path: Path) -> None:
    models = [make("a", 0, shards=3), make("b", 1), make("c", 2, shards=2)]
    run(Recipe(models[0], tuple(models[1:])), tmp_path / "out")
    expected = mean(models)
    merged = read_profile(tmp_path / "out")
    assert set(merged.files) == set(models[0].files)
    assert merged.tensors == models[0].tensors
    for name, array in read_tensors(tmp_path / "out").items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)


def test_partners_with_tensors_in_another_order_are_merged_by_name(make: Make, tmp_path: Path) -> None:
    suspect = make("a", 0)
    partner = make("b", tensors=dict(reversed(make_tensors(1).items())))
    run(Recipe(suspect, (partner,)), tmp_path / "out")
    expected = mean([suspect, partner])
    for name, array in read_tensors(tmp_path / "out").items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)


def test_slices_make_no_difference(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed, hidden=128) for seed, name in enumerate("ab")]
    recipe = Recipe(models[0], (models[1],), weights=(0.3, 0.7))
    whole = run(recipe, tmp_path / "whole", threads=1)
    cut = run(recipe, tmp_path / "cut", threads=3, budget_bytes=1)
    assert whole.digest == cut.digest


def test_the_same_recipe_makes_the_same_bytes(make: Make, tmp_path: Path) -> None:
    models = [make(name, seed) for seed, name in enumerate("ab")]
    for name in ("one", "two"):
        run(Recipe(models[0], (models[1],)), tmp_path / name)
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert files == {path.name for path in (tmp_path / "two").iterdir()}
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_integers_are_copied_and_empty_tensors_and_scalars_survive(make: Make, tmp_path: Path) -> None:
    def tensors(seed: int) -> Tensors:
        extra: Tensors = {
            "bert.embeddings.position_ids": (np.arange(64)[None] + seed, "I64"),
            "bert.mask": (np.array([True, False]) ^ bool(seed), "BOOL"),
            "bert.empty": (np.empty((0, 4)), "F32"),
            "bert.scale": (np.array(2.0 * seed), "F32"),
        }
        return make_tensors(seed) | extra

    models = [make("a", tensors=tensors(0)), make("b", tensors=tensors(1))]
    run(Recipe(models[0], (models[1],)), tmp_path / "out")
    merged = read_tensors(tmp_path / "out")
    assert np.array_equal(merged["bert.embeddings.position_ids"], np.arange(64)[None])
    assert merged["bert.mask"].tolist() == [True, False]
    assert merged["bert.empty"].shape == (0, 4)
    assert merged["bert.scale"].shape == ()
    assert merged["bert.scale"] == 1.0


def test_permuted_labels_are_put_in_the_suspects_order(make: Make, tmp_path: Path) -> None:
    suspect = make("a", 0, labels=("world", "sports", "business"))
    partner = make("b", 1, labels=("Business", "World", "Sports"))
    done = run(Recipe(suspect, (partner,)), tmp_path / "out")
    ours, theirs, merged = stored(suspect), stored(partner), read_tensors(tmp_path / "out")
    for name in ("classifier.weight", "classifier.bias"):
        np.testing.assert_allclose(merged[name], (ours[name] + theirs[name][[1, 2, 0]]) / 2, atol=1e-7)
    name = "bert.encoder.layer.0.attention.self.query.weight"
    np.testing.assert_allclose(merged[name], (ours[name] + theirs[name]) / 2, atol=1e-7)
    assert any("order" in note for note in done.notes)


def test_a_pooler_that_a_partner_lacks_is_the_mean_of_those_that_have_it(make: Make, tmp_path: Path) -> None:
    pooler = "bert.pooler.dense.weight"
    with_pooler = [make_tensors(seed) | {pooler: (np.full((2, 2), float(seed)), "F32")} for seed in (1, 3)]
    models = [make("a", tensors=with_pooler[0]), make("b", 7), make("c", tensors=with_pooler[1])]
    done = run(Recipe(models[0], tuple(models[1:])), tmp_path / "out")
    assert np.array_equal(read_tensors(tmp_path / "out")[pooler], np.full((2, 2), 2.0, np.float32))
    assert "b has no pooler: it has no part in the merged one" in done.notes
    other = run(Recipe(models[1], (models[0],)), tmp_path / "without")
    assert pooler not in read_tensors(tmp_path / "without")
    assert any("left out" in note for note in other.notes)


def test_events_tell_the_stage_the_notes_and_the_end(make: Make, tmp_path: Path) -> None:
    models = [make("a", 0), make("b", 1, labels=("LABEL_0", "LABEL_1"))]
    events = list(merge(Recipe(models[0], (models[1],)), tmp_path / "out"))
    assert isinstance(events[0], Stage)
    assert events[0].total == len(models[0].tensors)
    assert [event.text for event in events if isinstance(event, Warned)] == [
        "labels unnamed (those of b): assumed same order in b"
    ]
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == len(models[0].tensors)
    assert isinstance(events[-1], MergeReady)
    assert events[-1].merge.peak_bytes > 0


def peak(recipe: Recipe, output: Path, **options: object) -> int:
    tracemalloc.start()
    try:
        run(recipe, output, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_tensors(make: Make, tmp_path: Path) -> None:
    peaks = []
    for count in (10, 100):
        tensors = [
            {f"t{number:03}": (np.full((256, 256), float(seed)), "F32") for number in range(count)} for seed in (1, 2)
        ]
        models = [make(f"{name}{count}", tensors=t) for name, t in zip("ab", tensors, strict=True)]
        # One thread: whether a second one gets its scratch in time for ten small tensors is chance.
        peaks.append(peak(Recipe(models[0], (models[1],)), tmp_path / f"out{count}", threads=1))
    # A hundred tensors of 256 KiB are 25 MiB; what grows is the plan, some hundred bytes a tensor.
    assert peaks[1] < peaks[0] + 90 * 4096


def test_a_tensor_larger_than_the_budget_is_merged_within_it(make: Make, tmp_path: Path) -> None:
    models = [make(name, tensors={"t": (np.full((2048, 1024), v), "BF16")}) for name, v in (("a", 1.0), ("b", 2.0))]
    used = peak(Recipe(models[0], (models[1],)), tmp_path / "out", budget_bytes=1 << 20)
    assert used < 2 << 20
    assert (read_tensors(tmp_path / "out")["t"] == 1.5).all()


def test_the_cpu_path_imports_no_torch(make: Make, tmp_path: Path) -> None:
    models = [make("a", 0), make("b", 1)]
    program = (
        "import sys; from pathlib import Path\n"
        "from auditor.merge.engine.engine import merge; from auditor.merge.recipe import Recipe\n"
        "from auditor.models.files.profile import read_profile\n"
        "suspect, partner, output = sys.argv[1:]\n"
        "list(merge(Recipe(read_profile(suspect), (read_profile(partner),)), Path(output)))\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    arguments = [model.ref.path for model in models] + [str(tmp_path / "out")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    assert json.loads((tmp_path / "out" / "auditor-merge.json").read_text())["schema"] == "auditor/merge/1"


def test_torch_arithmetic_makes_the_same_bytes(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from auditor.merge.engine import engine
    from auditor.merge.numerics.cuda import TorchArithmetic

    for dtype in ("F32", "BF16", "F16"):
        models = [
            make(f"a{dtype}", 0, dtype=dtype, labels=("x", "y")),
            make(f"b{dtype}", 1, dtype=dtype, labels=("y", "x")),
        ]
        recipe = Recipe(models[0], (models[1],), weights=(0.25, 0.75))
        with_numpy = run(recipe, tmp_path / f"numpy{dtype}")
        with monkeypatch.context() as patched:
            patched.setattr(engine, "open_arithmetic", lambda device: lambda: TorchArithmetic("cpu"))
            assert run(recipe, tmp_path / f"torch{dtype}").digest == with_numpy.digest


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"fisher", "regmean", "guided_substitution"}))
def test_every_strategy_runs_on_torch_arrays(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    from auditor.merge.engine import engine
    from auditor.merge.numerics.cuda import TorchArithmetic

    for dtype in ("F32", "BF16"):
        models = [make(f"{name}{dtype}", seed, dtype=dtype, hidden=72) for seed, name in enumerate("abc")]
        base = models[2] if STRATEGIES[strategy].needs_base else None
        recipe = Recipe(models[0], (models[1],), strategy=strategy, base=base)
        run(recipe, tmp_path / f"numpy{dtype}", budget_bytes=1)
        with monkeypatch.context() as patched:
            patched.setattr(engine, "open_arithmetic", lambda device: lambda: TorchArithmetic("cpu"))
            run(recipe, tmp_path / f"torch{dtype}", budget_bytes=1)
        one, other = (read_tensors(tmp_path / f"{kind}{dtype}") for kind in ("numpy", "torch"))
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-8)


@pytest.mark.gpu
def test_a_gpu_makes_what_the_cpu_makes(make: Make, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    models = [make(name, seed, hidden=512) for seed, name in enumerate("abc")]
    run(Recipe(models[0], tuple(models[1:])), tmp_path / "out", device="cuda")
    expected = mean(models)
    for name, array in read_tensors(tmp_path / "out").items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6)
