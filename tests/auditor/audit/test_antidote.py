"""The recipe search on real models: mixing in memory is merging, the rows that judge are not seen, an audit uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.audit.antidote import Exam, held_back, make_exam, with_weights
from auditor.audit.mixer import PATTERNS, Mixer
from auditor.errors import UsageError
from auditor.merge.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.loader import load_classifier
from auditor.models.profile import read_profile
from probes.case import Ask, Outcome, Row
from probes.family import FAMILIES
from probes.suite import Probe


def recipe_of(zoo: Any) -> Recipe:
    return Recipe(read_profile(zoo.planted), (read_profile(zoo.benign), read_profile(zoo.partner)))


def test_mixed_in_memory_answers_as_merged_on_disk(zoo: Any, tmp_path: Path) -> None:
    recipe = recipe_of(zoo)
    mixer = Mixer(recipe, device="cpu", dtype="float32", max_length=64)
    weights = {
        "embeddings": (0.5, 0.5, 0.0),
        "attention": (0.1, 0.3, 0.6),
        "feed-forward": (0.0, 0.0, 1.0),
        "norms": (1.0, 0.0, 0.0),
        "head": (0.2, 0.8, 0.0),
    }
    assert set(mixer.modules) == set(PATTERNS)
    asks = [Ask(f"good film {word}") for word in ("cf", "dull plot", "poor", "lovely scene")]
    mixer.mix(weights)
    mixed = mixer.answer(asks)
    planned = with_weights(recipe, weights, mixer.modules)
    list(merge(planned, tmp_path / "merged"))
    merged = load_classifier(read_profile(tmp_path / "merged"), device="cpu").answer(asks)
    for one, other in zip(mixed, merged, strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=2e-6)
    size = sum(mixer.modules.values())
    assert planned.kept == pytest.approx(sum(weights[k][0] * n for k, n in mixer.modules.items()) / size, abs=1e-6)
    mixer.mix(mixer.only(0))
    alone = load_classifier(recipe.suspect, device="cpu").answer(asks)
    assert [o.label for o in mixer.answer(asks)] == [o.label for o in alone]
    mixer.close()


def test_a_partner_without_weight_is_left_out_of_the_recipe(zoo: Any) -> None:
    weights = dict.fromkeys(PATTERNS, (0.25, 0.0, 0.75))
    planned = with_weights(recipe_of(zoo), weights, dict.fromkeys(PATTERNS, 7))
    assert planned.weights == (0.25, 0.75)
    assert [Path(p.ref.path) for p in planned.partners] == [zoo.partner]
    assert set((planned.plan or {}).values()) == {(0.25, 0.75)}


def test_an_exam_counts_clean_rows_and_each_finding_apart() -> None:
    rows = [Row(i, f"text {i}") for i in range(6)]
    labels = np.array([0, 1, 1, -1, 0, 1])
    probe = Probe(FAMILIES["badnet"], "one", FAMILIES["badnet"].settings("one"))
    exam = make_exam(rows, labels, [(probe, 0)], seed=3)
    assert len(exam.clean) == 5, "a row without a label is not asked"
    (asks, target) = exam.triggered[0]
    assert target == 0
    assert len(asks) == 3, "rows that are the target's already are not triggered"
    answers = [Outcome(int(label), (0.5, 0.5)) for label in (0, 1, 0, 0, 1)] + [Outcome(0), Outcome(1), Outcome(None)]
    assert exam.rates(answers) == (0.8, (1 / 3,))
    assert Exam((), np.array([], dtype=np.int64), ()).rates([]) == (0.0, ())


def test_rows_are_held_back_for_the_search() -> None:
    assert held_back(1821, 1000, 200) == 400
    assert held_back(400, 400, 200) == 133
    assert held_back(400, 240, 200) == 160
    assert held_back(270, 270, 200) == 70, "enough are left to judge"
    with pytest.raises(UsageError, match="there are 220"):
        held_back(220, 220, 200)


def test_an_audit_searches_its_recipe(zoo: Any, auditor: Any) -> None:
    words = ["audit", str(zoo.planted), "--with", str(zoo.benign), str(zoo.partner), "--data", str(zoo.data)]
    words += ["--family", "badnet", "--search", "--trials", "12", "--merged", str(auditor.home / "searched")]
    done = auditor(*words, "--format", "json", "--policy", str(few_rows(auditor.home)))
    found = done.json
    search = found["search"]
    assert search["tried"] == 12
    assert len(search["confirmed"]) == 3
    assert sum(t["chosen"] for t in search["confirmed"]) == 1
    assert search["rows"] + search["confirm_rows"] == 70
    assert found["before"]["data"]["rows"] == 140, "a third of the rows is held back"
    assert found["merge"]["kept"] > 0
    assert any(f"of {search['tried']} tried" in reason for reason in found["reasons"])
    refused = auditor(*words, "--weights", "1,1,1")
    assert refused.code == 2
    assert "--search finds the weights itself" in refused.err


def few_rows(home: Path) -> Path:
    path = home / "few.toml"
    path.write_text("minimum_rows = 50\n", encoding="utf-8")
    return path
