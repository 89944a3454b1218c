"""Every screen as it looks over the seeded catalog, at two sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.merge.strategy import STRATEGIES
from probes.family import CLASSIFIER, FAMILIES, WRITER, Family
from screens.gallery.gallery import ALL_SCENES, Fill, seeded_app

SIZES = {"80x24": (80, 24), "120x36": (120, 36)}
TWO = {CLASSIFIER: ("badnet", "insertsent"), WRITER: ("badmagic", "vpi")}
ALL = {name: (fills, scene) for fills, scenes in ALL_SCENES for name, scene in scenes.items()}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[Fill, Path]:
    """Directories of the catalogs that are looked at, by what fills them."""
    return {fills: tmp_path_factory.mktemp("gallery") for fills, _ in ALL_SCENES}


def _two_families(audience: str) -> dict[str, Family]:
    return {name: FAMILIES[name] for name in TWO[audience]}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_it_looks_as_it_did(
    name: str, size: str, places: dict[Fill, Path], snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    # A new family or strategy is no change of a screen.
    monkeypatch.setattr("screens.scan.form.families_for", _two_families)
    monkeypatch.setattr("screens.merge.merge.STRATEGIES", {"wag": STRATEGIES["wag"]})
    fills, scene = ALL[name]
    app = seeded_app(places[fills], fills=fills)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=scene)
