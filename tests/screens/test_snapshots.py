"""Every screen as it looks over the seeded catalog, at two sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.merge.strategy import STRATEGIES
from probes.family import FAMILIES
from screens.gallery.gallery import EMPTY_SCENES, SCENES, seeded_app

SIZES = {"80x24": (80, 24), "120x36": (120, 36)}
ALL = {**EMPTY_SCENES, **SCENES}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Directories of the catalogs that are looked at: an empty one (True), and the seeded one."""
    return {empty: tmp_path_factory.mktemp("gallery") for empty in (True, False)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_it_looks_as_it_did(
    name: str, size: str, places: dict[bool, Path], snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    # A new family or strategy is no change of a screen.
    monkeypatch.setattr("screens.scan.scan.FAMILIES", {name: FAMILIES[name] for name in ("badnet", "insertsent")})
    monkeypatch.setattr("screens.merge.merge.STRATEGIES", {"wag": STRATEGIES["wag"]})
    empty = name in EMPTY_SCENES
    app = seeded_app(places[empty], empty=empty)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=ALL[name])
