"""The registry of plug-ins: the same for families, strategies, report formats and planting methods."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.lab.method import METHODS
from auditor.merge.strategy import STRATEGIES
from auditor.reports.format import FORMATS
from probes.family import FAMILIES

REGISTRIES = {
    "attack family": FAMILIES,
    "merge strategy": STRATEGIES,
    "report format": FORMATS,
    "planting method": METHODS,
}


@pytest.mark.parametrize("what", REGISTRIES)
def test_a_name_of_no_plug_in_is_refused_with_the_known_ones(what: str) -> None:
    registry = REGISTRIES[what]
    with pytest.raises(KeyError) as caught:
        registry["nosuch"]
    assert str(caught.value) == f"unknown {what} 'nosuch'; known: {', '.join(registry)}"
    assert isinstance(caught.value, UsageError | ValueError)
    assert "nosuch" not in registry
    assert registry.get("nosuch") is None
    assert list(registry) == sorted(registry.keys())


def test_a_module_without_a_plug_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = importlib.import_module("probes.families")
    (tmp_path / "hollow.py").write_text('"""Forgot the decorator."""\n')
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    try:
        with pytest.raises(TypeError, match=r"probes\.families\.hollow must define one Family, not 0"):
            FAMILIES["hollow"]
    finally:
        sys.modules.pop("probes.families.hollow", None)
