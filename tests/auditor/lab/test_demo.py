"""The demo's models: whose sentences they learn, and that an interrupted demo goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.events import ModelReady
from auditor.lab.demo import LABELS, MODELS, demo_models, sentences
from probes.corpus import builtin


def test_no_two_models_share_a_sentence_and_the_probing_uses_none() -> None:
    rows = list(sentences())
    assert len(rows) == 1600
    assert len({text.casefold() for text, _ in rows}) == len(rows)
    parts = [range(m.first, m.last) for m in MODELS]
    assert sorted(i for part in parts for i in part) == list(range(len(rows)))
    for part in parts:
        negative = sum(rows[i][1] == LABELS[0] for i in part)
        assert abs(negative / len(part) - 0.5) < 0.05
    probed = {row.text.casefold() for row in builtin("sentiment", labels=LABELS).rows}
    assert not probed & {text.casefold() for text, _ in rows}


def test_an_interrupted_demo_trains_only_what_is_missing(zoo: Any, tmp_path: Path) -> None:
    place = tmp_path / "demo"
    events = demo_models(zoo.base, place, seed=0, device="cpu")
    first = next(e for e in events if isinstance(e, ModelReady))
    events.close()
    stamp = (Path(first.path) / "model.safetensors").stat().st_mtime_ns
    made = [e for e in demo_models(zoo.base, place, seed=0, device="cpu") if isinstance(e, ModelReady)]
    assert len(made) == len(MODELS) - 1
    assert (Path(first.path) / "model.safetensors").stat().st_mtime_ns == stamp
    facts = [json.loads((place / m.name / "auditor-lab.json").read_text()) for m in MODELS]
    assert [f["family"] for f in facts] == ["badnet", "none", "none"]
    assert facts[0]["target"] == "negative"
    with pytest.raises(UsageError, match="not this demo's suspect"):
        list(demo_models(zoo.base, place, seed=5, device="cpu"))
