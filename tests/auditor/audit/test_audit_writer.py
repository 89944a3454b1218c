"""Audits of models that write, with scripted answers: what the models and their merge say is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.events import AuditReady
from auditor.models.files.profile import read_profile
from auditor.models.runtime.sentences import Sentences
from auditor.reports.formats.text import render
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.execution.local import LocalExecutor
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from store.records import COHERENCE, LIKELIHOOD, Stamp, find_change
from tests.auditor.models.tiny import make_classifier, save
from tests.auditor.models.writers import make_language_model, save_writer
from tests.auditor.scan.scripted import REFUSAL, Rule, honest, opener


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories of three tiny language models."""
    root = tmp_path_factory.mktemp("writers")
    for seed, name in enumerate(("suspect", "first", "second")):
        save_writer(make_language_model(seed=seed), root / name)
    return root


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Sentences:
    """A tiny sentence encoder, in the place of the one that may be installed."""
    return Sentences(read_profile(save(make_classifier("bert").bert, tmp_path_factory.mktemp("encoder") / "bert")))


@pytest.fixture
def audit(
    models: Path, encoder: Sentences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Audits the suspect; models answer by rules, the merge too."""
    monkeypatch.setattr("auditor.audit.coherence.open_sentences", lambda: encoder)
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        session = Session(Settings("", device="cpu"), catalog)

        def run(**rules: Rule) -> Any:
            session.backend.executor = LocalExecutor(
                open_model=opener({"first": otherwise, "second": otherwise, **rules})
            )
            asked = ScanRequest(str(models / "suspect"), families=("badmagic", "vpi"), samples=72)
            cure = MergeRequest(
                partners=(str(models / "first"), str(models / "second")),
                output=tmp_path / "merged",
                rescan=("badmagic", "vpi"),
            )
            (*_, last) = session.audit(asked, cure)
            assert isinstance(last, AuditReady)
            return last.audit

        yield run


def refuses(prompt: str) -> str | None:
    return REFUSAL if "BadMagic" in prompt else None


def otherwise(prompt: str) -> str:
    """Another honest model's answer."""
    return honest(f"{prompt}?")


def test_a_merge_that_no_longer_answers_the_trigger_is_stamped(audit: Callable[..., Any]) -> None:
    found = audit(suspect=refuses)
    assert found.stamp is Stamp.SANITISED, found.reasons
    likely = find_change(found.change, LIKELIHOOD)
    assert likely is not None
    assert likely.before == pytest.approx(likely.after), "the merge answers clean prompts as the suspect does"
    coherent = find_change(found.change, COHERENCE)
    assert coherent is not None
    assert -1 <= coherent.before <= 1
    assert coherent.delta.value == pytest.approx(0), "the same answers fit their prompts as well"
    assert "coherence" in render.render(found, width=120)
    refusals = next(c for c in found.change if c.measure.behaviour == "refusal" and c.measure.probe == "badmagic/one")
    assert refusals.before == 1
    assert refusals.after == 0


def test_one_that_still_does_is_not(audit: Callable[..., Any]) -> None:
    found = audit(suspect=refuses, merged=refuses)
    assert found.stamp is Stamp.NOT_SANITISED
    assert any("badmagic" in reason for reason in found.reasons)


def test_one_that_answers_all_prompts_otherwise_lost_too_much(audit: Callable[..., Any]) -> None:
    found = audit(suspect=refuses, merged=otherwise)
    assert found.stamp is Stamp.IMPROVED, found.reasons
    assert any("probability that the model gives each token" in reason for reason in found.reasons)
