"""Strategies as plug-ins: found by name, their options read off the signature, handed what they ask for."""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import auditor.merge.strategies
from auditor.errors import UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.engine.slices import HeldView
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import STRATEGIES, Grain, Hands, Site, Strategy, Tally, strategy
from auditor.merge.verify import verify
from tests.auditor.merge.conftest import Make, make_tensors, read_tensors

WHOLE = '''
"""Needs whole tensors, the base, the place and the seed."""
from auditor.merge.strategy import strategy
import numpy as np

@strategy(title="Drawn", reference="arXiv:0000.00000", needs_base=True, keep=lambda weights, options: options["scale"])
def blend(arrays, *, weights, base, site, scale=0.5, shift=True):
    """The base plus a scaled share of the task vectors, by a draw a row."""
    assert arrays[0].shape == base.shape == site.shape and site.start == 0
    rng = np.random.default_rng([site.seed, *site.tensor.encode()])
    share = rng.random((base.shape[0],) + (1,) * (base.ndim - 1), dtype=np.float32) * scale
    return base + share * sum(w * (a - base) for w, a in zip(weights, arrays))
'''


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A strategy dropped in as a file."""
    place = tmp_path / "plugins"
    place.mkdir()
    (place / "drawn.py").write_text(WHOLE)
    monkeypatch.setattr(auditor.merge.strategies, "__path__", [*auditor.merge.strategies.__path__, str(place)])
    importlib.invalidate_caches()
    yield "drawn"
    sys.modules.pop("auditor.merge.strategies.drawn", None)


def blend(plugin: Strategy, arrays: list[np.ndarray], base: np.ndarray, site: Site, survey: object) -> np.ndarray:
    hands = Hands(
        weights=WEIGHTS[: len(arrays)],
        site=site,
        shares=WEIGHTS[: len(arrays)],
        base=base if plugin.needs_base else None,
        survey=survey,
        statistics=STATISTICS[plugin.statistics](arrays) if plugin.statistics else [],
        tally=Tally(),
    )
    return plugin.blend([array.copy() for array in arrays], hands, plugin.settings()).copy()


WEIGHTS = (0.5, 0.3, 0.2)
STATISTICS = {
    "fisher": lambda arrays: [np.abs(array) + 1 for array in arrays],
    "gram": lambda arrays: [array.T @ array + np.eye(6, dtype=np.float32) for array in arrays],
}


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_strategy_keeps_the_contract(name: str) -> None:
    plugin = STRATEGIES[name]
    assert plugin.name == name
    assert plugin.title
    assert plugin.reference.startswith(("arXiv:", "doi:"))
    assert plugin.doc
    rng = np.random.default_rng(0)
    shape = (4, 6)
    arrays = [rng.normal(size=shape).astype(np.float32) for _ in range(2 if plugin.pair else 3)]
    base = rng.normal(size=shape).astype(np.float32)
    survey = plugin.look(HeldView(arrays, base), plugin.settings())
    flat = [array.reshape(-1) for array in arrays]
    cuts = {Grain.ELEMENT: [(0, 7), (7, 24)], Grain.ROW: [(0, 6), (6, 24)], Grain.TENSOR: [(0, 24)]}[plugin.grain]

    def parts(spans: list[tuple[int, int]]) -> np.ndarray:
        made = []
        for start, stop in spans:
            kind = (-1,) if plugin.grain is Grain.ELEMENT else (-1, 6)
            sliced = [array[start:stop].reshape(kind) for array in flat]
            own = base.reshape(-1)[start:stop].reshape(kind)
            made.append(blend(plugin, sliced, own, Site("t", shape, start, 0), survey).reshape(-1))
        return np.concatenate(made)

    whole = parts([(0, 24)])
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    assert np.array_equal(whole, parts([(0, 24)]))
    assert np.array_equal(whole, parts(cuts))
    assert 0 <= plugin.keep(WEIGHTS[: len(arrays)], plugin.settings()) <= 1


def test_names_are_listed_without_importing() -> None:
    program = (
        "import sys; from auditor.merge.strategy import STRATEGIES; assert 'wag' in list(STRATEGIES)\n"
        "assert 'auditor.merge.strategies.wag' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_options_are_the_keyword_parameters_with_a_default(drawn: str) -> None:
    plugin = STRATEGIES[drawn]
    assert plugin.options == {"scale": 0.5, "shift": True}
    assert plugin.settings({"scale": "0.25", "shift": "no"}) == {"scale": 0.25, "shift": False}
    with pytest.raises(UsageError, match=r"drawn has no option 'scal'; known: scale, shift"):
        plugin.settings({"scal": 1})
    with pytest.raises(UsageError, match=r"drawn\.scale takes a value of type float, not 'much'"):
        plugin.settings({"scale": "much"})


def test_a_strategy_that_asks_for_what_there_is_not_is_refused_at_once() -> None:
    def fisher(arrays: list[np.ndarray], *, fishers: object) -> None: ...
    def based(arrays: list[np.ndarray], *, base: object) -> None: ...

    with pytest.raises(TypeError, match="does not supply fishers"):
        strategy(title="x", reference="x")(fisher)
    with pytest.raises(TypeError, match="needs_base"):
        strategy(title="x", reference="x")(based)


def test_a_strategy_gets_whole_tensors_the_base_and_the_seed(make: Make, tmp_path: Path, drawn: str) -> None:
    headless = {name: value for name, value in make_tensors(9).items() if "classifier" not in name}
    base = make("base", tensors=headless)
    recipe = Recipe(make("a"), (make("b", 1),), strategy=drawn, options={"scale": "0.8"}, seed=3, base=base)
    first = list(merge(recipe, tmp_path / "first"))[-1].merge
    heads = 2 * 8 + 2
    rest = sum(math.prod(t.shape) for t in recipe.suspect.tensors) - heads
    assert first.kept == pytest.approx((0.8 * rest + 0.5 * heads) / (rest + heads))
    assert any("classifier.bias" in note and "not in the base" in note for note in first.notes)
    a, b, zero, merged = (read_tensors(Path(p)) for p in (
        recipe.suspect.ref.path, recipe.partners[0].ref.path, base.ref.path, tmp_path / "first"
    ))  # fmt: skip
    name = "bert.encoder.layer.0.attention.self.query.weight"
    share = np.random.default_rng([3, *name.encode()]).random((8, 1), dtype=np.float32) * 0.8
    np.testing.assert_allclose(merged[name], zero[name] + share * ((a[name] + b[name]) / 2 - zero[name]), atol=1e-6)
    name = "classifier.weight"
    np.testing.assert_allclose(merged[name], (a[name] + b[name]) / 2, atol=1e-7)

    again = Recipe(recipe.suspect, recipe.partners, strategy=drawn, options={"scale": 0.8}, seed=3, base=base)
    assert list(merge(again, tmp_path / "again"))[-1].merge.digest == first.digest
    sources = {model.ref.digest: Path(model.ref.path) for model in (*recipe.models, base)}
    assert verify(tmp_path / "first", sources=sources) == []
    manifest = json.loads((tmp_path / "first" / "auditor-merge.json").read_text("utf-8"))
    assert manifest["base"]["digest"] == base.ref.digest
    assert manifest["options"] == {"scale": 0.8, "shift": True}


def test_a_base_is_asked_for_and_a_tensor_beyond_the_memory_is_refused(make: Make, tmp_path: Path, drawn: str) -> None:
    with pytest.raises(UsageError, match="drawn needs the base"):
        Recipe(make("a"), (make("b", 1),), strategy=drawn)
    recipe = Recipe(
        make("c", 2, hidden=80), (make("d", 3, hidden=80),), strategy=drawn, base=make("base", 4, hidden=80)
    )
    with pytest.raises(UsageError, match="blended whole needs") as caught:
        list(merge(recipe, tmp_path / "out", budget_bytes=1000))
    assert "Raise the memory budget" in caught.value.hint


def test_the_mapping_holds_strategies(drawn: str) -> None:
    assert drawn in STRATEGIES
    assert all(isinstance(STRATEGIES[name], Strategy) for name in STRATEGIES)
    assert len(STRATEGIES) == len(list(STRATEGIES))


def test_a_tenth_of_every_tensor_is_a_tenth() -> None:
    """Sums of binary fractions end a hair below it, and a limit of a tenth would refuse the recipe."""
    below = 0
    for seed in range(40):
        tally, rng = Tally(), np.random.default_rng(seed)
        for number, count in enumerate(rng.integers(1, 10_000, size=20).tolist()):
            site = Site(f"t{number}", (count,), 0, 0)
            tally.add(site, 0.1 * count, count)
            tally.weigh(site, float(rng.random()))
        for weighed in (False, True):
            assert tally.mean(weighed=weighed) == 0.1
        below += tally._mean_by_length() < 0.1
    assert below > 0, "without rounding some of them are"
