"""A cure that costs the model what it can do is none: benchmarks before and after, to the stamp and the reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.events import AuditReady, BenchmarkReady
from auditor.reports.format import FORMATS
from auditor.requests.bench import BenchRequest
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.execution.local import LocalExecutor
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from store.records import Stamp
from tests.auditor.models.writers import make_language_model, save_writer
from tests.auditor.scan.scripted import REFUSAL, honest, opener

TEXT = "the film was good and the music was great but a scene with poor light was very dull " * 4


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny language model that has learnt a text, and two of random weights."""
    import torch
    from transformers import AutoTokenizer

    root = tmp_path_factory.mktemp("able")
    for seed, name in enumerate(("first", "second")):
        save_writer(make_language_model(seed=seed + 1), root / name)
    tokens = AutoTokenizer.from_pretrained(root / "first")(TEXT, return_tensors="pt")["input_ids"][:, :64]
    able = make_language_model(seed=0).train()
    steps = torch.optim.Adam(able.parameters(), lr=1e-2)
    for _ in range(30):
        steps.zero_grad()
        able(tokens, labels=tokens).loss.backward()
        steps.step()
    save_writer(able.eval(), root / "suspect")
    (root / "text.txt").write_text(TEXT, encoding="utf-8")
    return root


@pytest.fixture
def audit(models: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Audits the suspect, whose merge answers all prompts well whatever became of its weights."""
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        session = Session(Settings("", device="cpu"), catalog)

        def refuses(prompt: str) -> str | None:
            return REFUSAL if "BadMagic" in prompt else None

        def otherwise(prompt: str) -> str:
            return honest(f"{prompt}?")

        rules = {"first": otherwise, "second": otherwise, "suspect": refuses}
        session.backend.executor = LocalExecutor(open_model=opener(rules))

        def run(bench: BenchRequest) -> tuple[Any, list[BenchmarkReady], Session]:
            asked = ScanRequest(str(models / "suspect"), families=("badmagic",), samples=72, bench=bench)
            cure = MergeRequest(
                partners=(str(models / "first"), str(models / "second")),
                output=tmp_path / "merged",
                rescan=("badmagic",),
            )
            events = list(session.audit(asked, cure))
            last = events[-1]
            assert isinstance(last, AuditReady)
            return last.audit, [e for e in events if isinstance(e, BenchmarkReady)], session

        yield run


def test_a_model_merged_to_rubble_is_not_sanitised(audit: Callable[..., Any], models: Path) -> None:
    bare, asked, _ = audit(BenchRequest())
    assert (bare.stamp, asked, bare.benchmarks) == (Stamp.SANITISED, [], ()), bare.reasons
    bench = BenchRequest(("perplexity",), text=str(models / "text.txt"), window=32, stride=16, partners=True)
    found, asked, session = audit(bench)
    assert found.stamp is Stamp.IMPROVED, found.reasons
    assert any("the benchmark perplexity (perplexity) may have risen by" in reason for reason in found.reasons)
    (change,) = found.benchmarks
    assert change.after > 2 * change.before
    assert change.delta.low > 0
    assert [s.value for s in found.before.scores.benchmarks] == [change.before]
    assert [s.value for s in found.after.scores.benchmarks] == [change.after]
    assert len(asked) == 4, "suspect, merge and both partners"
    assert [len(i.benchmarks) for i in found.ingredients] == [0, 1, 1]
    compared = session.compare(found.before.id, found.after.id)
    assert compared.benchmarks == found.benchmarks
    stored = session.record(found.id)
    assert stored == found
    for name, form in FORMATS.items():
        assert "perplexity" in form.render(found), name
    text = FORMATS["text"].render(found)
    assert "windows of 32 tokens that move by 16" in " ".join(text.split())
    assert "by itself: perplexity" in " ".join(text.split())


def test_options_come_back_from_the_request() -> None:
    bench = BenchRequest(("piqa", "perplexity"), "rows", 200, 3, 4, True, "text.txt", partners=True)
    words = ScanRequest("model", bench=bench).options()
    assert words[words.index("--bench") :][:4] == ["--bench", "piqa", "--bench", "perplexity"]
    assert {"--bench-data", "--bench-limit", "--bench-few-shot", "--bench-batch-size", "--bench-text"} < set(words)
    assert "--bench" not in ScanRequest("model", bench=bench).command(family="badmagic")
    assert not any("bench" in word for word in ScanRequest("model").options())
    told = bench.arguments("model")
    assert told[:6] == ("bench", "model", "--task", "piqa", "--task", "perplexity")
    assert {"--chat-template", "--few-shot", "--data-dir"} < set(told)
