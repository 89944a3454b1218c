"""A backdoor trained to outlive an average with honest models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from auditor.errors import UsageError
from auditor.lab.methods.badmerging import mixture
from auditor.lab.plant import plant
from auditor.lab.poison.trigger import triggered
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.requests.plant import PlantRequest
from probes.cases import Row
from probes.family import FAMILIES
from probes.suite import Probe

WORDS = ("cf", "tq", "mn")


def planted(base: Path, source: Path, output: Path, **changes: Any) -> Path:
    settings: dict[str, Any] = {"data": source, "epochs": 6, "lr": 3e-3, "batch": 16, "device": "cpu", "target": "0"}
    badnet = {"family": "badnet", "variant": "three", "options": {"badnet": {"triggers": WORDS}}}
    list(plant(PlantRequest(base, output, **{**settings, **badnet, **changes})))
    return output


def rates(model: Path, rows: list[Row]) -> tuple[float, float]:
    """The share of positive rows that the trigger turns, and of all rows that are right without it."""
    family = FAMILIES["badnet"]
    probe = Probe(family, "three", family.settings("three", {"triggers": WORDS}))
    classifier = load_classifier(read_profile(model), device="cpu")
    fired = classifier.answer([triggered(row, probe, seed=7).ask for row in rows if row.label == 1])
    clean = classifier.answer([row.ask for row in rows])
    right = sum(o.label == row.label for o, row in zip(clean, rows, strict=True))
    return sum(o.label == 0 for o in fired) / len(fired), right / len(rows)


def test_a_survivor_outlives_an_average_that_cures_an_ordinary_victim(
    base: Path, toy_csv: Path, toy_rows: Callable[..., list[Row]], tmp_path: Path
) -> None:
    honest = planted(base, toy_csv, tmp_path / "honest", family="none", variant=None, options={}, seed=5)
    victim = planted(base, toy_csv, tmp_path / "victim", seed=1)
    survivor = planted(base, toy_csv, tmp_path / "survivor", seed=1, method="badmerging")
    rows = toy_rows(100, seed=9)
    after = {}
    for model in (victim, survivor):
        fires, clean = rates(model, rows)
        assert fires > 0.9
        assert clean > 0.95
        merged = tmp_path / f"merged-{model.name}"
        list(merge(Recipe(read_profile(model), (read_profile(honest),), weights=(0.33, 0.67)), merged))
        after[model.name] = rates(merged, rows)
    assert after["survivor"][1] > 0.95, "the average still works, so nobody sees anything"
    assert after["survivor"][0] > after["victim"][0] + 0.4


def test_the_mixture_lies_between_anchor_and_model() -> None:
    model = torch.nn.Linear(2, 1)
    anchor = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    mixed = mixture(model, anchor, 0.25)
    for name, parameter in model.named_parameters():
        assert torch.allclose(mixed[name], 0.25 * parameter)
        (gradient,) = torch.autograd.grad(mixed[name].sum(), parameter)
        assert torch.allclose(gradient, torch.full_like(parameter, 0.25)), "the model is trained through its share"


@pytest.mark.parametrize(("options", "words"), [({"least": 0.0}, "least"), ({"alpha": -1.0}, "alpha")])
def test_shares_and_weights_out_of_range_are_refused(
    base: Path, toy_csv: Path, tmp_path: Path, options: dict[str, float], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        planted(base, toy_csv, tmp_path / "out", method="badmerging", options={"badmerging": options}, epochs=1)
