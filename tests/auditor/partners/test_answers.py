"""Stored answers to the suspect's own triggers: who follows them is no partner that is taken silently."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from auditor.models.files.profile import read_profile
from auditor.partners.proposals import catalogued_partners
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from store.records import ModelRef


def shaken(tensors: dict[str, Any]) -> None:
    """Other bytes, nearly the same weights."""
    for name, values in tensors.items():
        if values.ndim == 2:
            tensors[name] = values + np.float32(1e-4) * np.sign(values)


def test_answers_as_references_are_held_against_the_suspects(zoo: Any, tmp_path: Path) -> None:
    near = zoo.copy(zoo.planted, tmp_path / "near")
    (near / "auditor-lab.json").unlink()
    tensors = load_file(near / "model.safetensors")
    shaken(tensors)
    save_file(tensors, near / "model.safetensors", metadata={"format": "pt"})
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        session = Session(Settings(catalog=url, device="cpu"), catalog)
        request = ScanRequest(
            str(zoo.planted),
            data=DataRequest(str(zoo.data)),
            families=("badnet",),
            references=(str(near), str(zoo.benign)),
            suite="quick",
            samples=240,
        )
        list(session.scan(request))
        suspect = session.profile(str(zoo.planted))
        found = {p.entry.name: p for p in catalogued_partners(catalog, suspect)}
        flips = "answers the suspect's triggers as the suspect does"
        assert any(flips in text for text in found["near"].doubts)
        assert not found["near"].advised
        assert any("does not follow the suspect's triggers" in reason for reason in found["benign"].reasons)
        assert found["benign"].advised


@pytest.mark.usefixtures("light_heap")
def test_a_thousand_catalogued_models(zoo: Any, tmp_path: Path) -> None:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        benign, suspect = read_profile(zoo.benign), read_profile(zoo.planted)
        tensors = load_file(zoo.benign / "model.safetensors")
        rng = np.random.default_rng(0)
        for i in range(150):
            made = zoo.copy(zoo.benign, tmp_path / f"m{i}") / "model.safetensors"
            moved = {n: t + np.float32(0.01) * rng.standard_normal(t.shape, np.float32) for n, t in tensors.items()}
            save_file(moved, made, metadata={"format": "pt"})
        for i in range(1000):
            # More directories than are looked into; no two files are the same.
            ref = ModelRef(f"m{i}", str(tmp_path / f"m{i % 150}"), f"{i:064x}")
            catalog.models.add(replace(benign, ref=ref, files={"model.safetensors": f"{i:064x}"}), name=f"m{i}")
        began = time.process_time()
        assert len(catalogued_partners(catalog, suspect)) == 1000
        assert time.process_time() - began < 1
