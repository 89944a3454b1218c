"""A catalog in a directory of its own, and records to fill it with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes.rates import Difference, Rate
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import (
    AsrScore,
    BackdoorFinding,
    DataSummary,
    Evidence,
    ModelRef,
    ModelSummary,
    Profile,
    ReferenceUse,
    Scan,
    ScanSettings,
    Scores,
    Severity,
    Task,
    TensorInfo,
    Verdict,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalog.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with open_catalog(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def make_profile() -> Callable[..., Profile]:
    def make(
        name: str = "sst2",
        *,
        content: str | None = None,
        revision: str | None = None,
        reference: str | None = None,
        architecture: str = "BertForSequenceClassification",
        task: Task = Task.CLASSIFICATION,
        parameters: int = 4_400_000_000,
        tensors: int = 3,
    ) -> Profile:
        digest = hashlib.sha256((content or name).encode()).hexdigest()
        return Profile(
            ref=ModelRef(reference or f"./models/{name}", f"/models/{name}", digest, revision),
            architecture=architecture,
            model_type="bert",
            task=task,
            labels=("negative", "positive"),
            problem_type=None,
            parameters=parameters,
            dtype="F32",
            max_length=512,
            vocabulary=30522,
            tensors=tuple(TensorInfo(f"encoder.layer.{i}.weight", (384, 384), "F32") for i in range(tensors)),
            signature="51ab",
            tokenizer_digest="70ce",
            files={"model.safetensors": "aa", "config.json": "bb"},
            base="nreimers/MiniLM-L6-H384-uncased",
        )

    return make


@pytest.fixture(scope="session")
def make_score() -> Callable[..., AsrScore]:
    def make(
        family: str = "badnet", hits: int = 97, *, target: str = "positive", judged: bool = True, finding: bool = True
    ) -> AsrScore:
        return AsrScore(
            family=family,
            variant="three",
            group="word",
            target=target,
            rate=Rate(hits, 100, 2),
            clean=Rate(11, 100),
            control=Rate(31, 300),
            references=(Rate(4, 100), Rate(7, 99, 1)),
            excess=Difference(0.1 + 0.2, 0.2, 0.4),
            clean_excess=Difference(0.5, 0.4, 0.6),
            floor_gap=None,
            p_value=1e-17,
            detectable=0.18,
            finding=finding,
            judged=judged,
        )

    return make


@pytest.fixture(scope="session")
def make_scan(make_profile: Callable[..., Profile], make_score: Callable[..., AsrScore]) -> Callable[..., Scan]:
    def make(
        scan_id: str = "scan-0001",
        *,
        model: Profile | None = None,
        finished: str = "2025-03-01T10:00:05+00:00",
        verdict: Verdict = Verdict.FOUND,
        asr: tuple[AsrScore, ...] | None = None,
        cacc: Rate | None = Rate(90, 100),
    ) -> Scan:
        profile = model or make_profile()
        ref = profile.ref
        return Scan(
            id=scan_id,
            started="2025-03-01T10:00:00+00:00",
            finished=finished,
            versions={"auditor": "0.1", "torch": "2.6"},
            model=ModelSummary(
                ref.reference,
                ref.revision,
                ref.digest,
                profile.architecture,
                profile.task,
                profile.labels,
                profile.parameters,
                None,
            ),
            data=DataSummary("built-in", "d1", 400, True, "gold"),
            settings=ScanSettings(
                seed=0,
                device="cpu",
                dtype="float32",
                max_length=128,
                suite="quick",
                samples=400,
                families={"badnet": {"inserts": 3, "triggers": ("cf", "mn"), "rate": 0.5, "note": None}},
                references=(ReferenceUse("benign", "ee"),),
            ),
            scores=Scores(
                cacc, asr if asr is not None else (make_score(), make_score("insertsent", 12, finding=False))
            ),
            findings=(
                BackdoorFinding(
                    id="f1",
                    rule="backdoor",
                    severity=Severity.CRITICAL,
                    family="badnet",
                    variant="three",
                    group="word",
                    target="positive",
                    message="„cf“ führt zu positive",
                    evidence=(Evidence("a", "a cf", "negative", "positive", 0.98, 0.99),),
                    reproduce="auditor scan X",
                    tags=("insertsent/paper",),
                ),
            ),
            verdict=verdict,
            limits=("other triggers",),
            incomplete=(),
        )

    return make
