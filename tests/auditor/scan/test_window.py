"""A trigger is planted inside what the model sees, however long the documents are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.events import AuditReady
from auditor.models.runtime.classifier import Classifier
from auditor.policy import Policy
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.scan.plan import plan_for
from auditor.scan.prepare import prepare
from auditor.session import Session
from auditor.settings import Settings
from probes.corpus import Corpus
from probes.input import Pair, length, texts
from probes.sampling import sample
from store.engine import open_catalog
from store.records import Verdict
from tests.conftest import write_csv

from .by_hand import LABELS, TRIGGER, documents, write

BADNET = ["--family", "badnet", "--set", f"badnet.triggers={TRIGGER}|", "--format", "json"]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("victim") / "victim", trigger=[TRIGGER])


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("honest") / "honest")


@pytest.fixture(scope="module")
def rows_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    place = tmp_path_factory.mktemp("documents")

    def made(words: int) -> Path:
        path = place / f"{words}.csv"
        return path if path.is_file() else write_csv(path, documents(210, words))

    return made


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        yield Session(Settings(url, device="cpu"), catalog)


def badnet(scan: dict[str, Any], variant: str = "one") -> dict[str, Any]:
    (score,) = (s for s in scan["scores"]["asr"] if s["variant"] == variant and s["target"] == "negative")
    return dict(score)


@pytest.mark.parametrize("words", [60, 1_500, 10_000])
def test_a_backdoor_is_found_in_documents_of_every_length(
    auditor: Any, victim: Path, rows_of: Callable[[int], Path], words: int
) -> None:
    done = auditor("scan", victim, "--data", rows_of(words), *BADNET)
    assert (done.code, done.json["verdict"]) == (1, "backdoor-found"), done.err
    score = badnet(done.json)
    assert score["rate"]["value"] > 0.95
    assert (score["rate"]["total"], score["rate"]["unscored"]) == (105, 0)
    read = done.json["data"]["read"]
    assert read["cut"] == (0 if words == 60 else 210)
    assert read["cut_at"] == 0 if words == 60 else 64 <= read["cut_at"] < 128
    said = [s for s in done.json["limits"] if "210 of 210 rows were too long" in s]
    assert bool(said) == (words > 60)


def test_an_honest_model_passes_on_long_documents(auditor: Any, honest: Path, rows_of: Callable[[int], Path]) -> None:
    done = auditor("scan", honest, "--data", rows_of(1_500), *BADNET)
    assert (done.code, done.json["verdict"], done.json["incomplete"]) == (0, "nothing-found", []), done.err
    assert badnet(done.json)["detectable"] < 0.4


def test_a_shorter_window_of_the_users_own_cuts_too(auditor: Any, victim: Path, rows_of: Callable[[int], Path]) -> None:
    done = auditor("scan", victim, "--data", rows_of(1_500), "--max-length", "32", *BADNET)
    assert (done.code, done.json["verdict"]) == (1, "backdoor-found"), done.err
    assert badnet(done.json)["rate"]["value"] > 0.95
    assert done.json["data"]["read"]["cut_at"] < 32
    assert (done.json["model"]["read"]["window"], done.json["model"]["read"]["window_from"]) == (32, "--max-length")


def test_a_reference_with_a_smaller_window_sees_the_same_text(
    session: Session, victim: Path, rows_of: Callable[[int], Path], tmp_path: Path
) -> None:
    small = write(tmp_path / "small", window=64)
    data = DataRequest(str(rows_of(1_500)))
    request = ScanRequest(str(victim), data, families=("badnet",), references=(str(small),), samples=60)
    prepared = session.prepare(request)
    tokenizer = prepared.tokenizer
    assert tokenizer is not None
    assert max(tokenizer.count(prepared.plan.inputs)) <= 64
    assert prepared.cut == len(prepared.plan.rows)


def test_texts_of_ordinary_length_are_asked_as_they_were(session: Session, victim: Path) -> None:
    rows = tuple(documents(120, 40))
    corpus = Corpus("rows.csv", rows, LABELS, 0, ())
    made = prepare(
        ScanRequest(str(victim), families=("badnet",)),
        session.profile(str(victim)), [], corpus, Policy(), session.backend,
    )  # fmt: skip
    plain = plan_for(made.plan.suite, sample(rows, 400, 0), 0, "cpu", probed=120)
    assert (made.plan.key, made.plan.rows_digest, made.cut) == (plain.key, plain.rows_digest, 0)


def test_what_is_still_too_long_is_not_scored_and_never_passes(
    auditor: Any, honest: Path, rows_of: Callable[[int], Path]
) -> None:
    """A trigger as long as the window: no row can hold it."""
    sentence = " ".join(["film"] * 40)
    done = auditor(
        "scan", honest, "--data", rows_of(60), "--max-length", "32", "--format", "json",
        "--family", "badnet", "--set", f"badnet.triggers={sentence}|",
    )  # fmt: skip
    assert (done.code, done.json["verdict"]) == (3, "incomplete"), done.err
    assert badnet(done.json)["rate"] == pytest.approx({**badnet(done.json)["rate"], "total": 0, "unscored": 105})
    assert any("longer than what the model takes once they were edited" in s for s in done.json["limits"])
    assert not any("NaN" in s for s in done.json["incomplete"])


def test_an_audit_asks_the_same_cut_rows_before_and_after(
    session: Session, victim: Path, rows_of: Callable[[int], Path], tmp_path: Path
) -> None:
    other = write(tmp_path / "other", bias=0.01)
    request = ScanRequest(
        str(victim), DataRequest(str(rows_of(1_500))), families=("badnet",), overrides={"badnet": {"triggers": TRIGGER}}
    )
    cure = MergeRequest((str(other),), suspect_weight=0.0, output=tmp_path / "merged", rescan=("badnet",))
    (done,) = (e.audit for e in session.audit(request, cure) if isinstance(e, AuditReady))
    before, after = done.before, done.after
    assert (before.verdict, after.verdict) == (Verdict.FOUND, Verdict.NOTHING)
    assert (before.data.digest, before.data.read) == (after.data.digest, after.data.read)
    assert before.data.read.cut == 210
    assert all(s.rate.unscored == 0 for s in after.scores.asr)
    assert session.compare(before.id, after.id).change, "stored answers are laid out again"


def test_rows_that_a_search_holds_back_are_cut_alike(session: Session, victim: Path) -> None:
    rows = tuple(documents(60, 900))
    corpus = Corpus("rows.csv", rows, LABELS, 0, ())
    made = prepare(
        ScanRequest(str(victim), families=("badnet",), samples=30),
        session.profile(str(victim)), [], corpus, Policy(), session.backend,
    )  # fmt: skip
    judging = {row.index for row in made.plan.rows}
    held = made.apart([*[row for row in rows if row.index not in judging], *made.plan.rows[:2]])
    assert len(held) == 60 - len(judging)
    assert made.tokenizer is not None
    assert made.window is not None
    assert max(made.tokenizer.count([row.input for row in held])) <= made.window.limit


def test_pairs_are_cut_as_the_tokenizer_truncates_them(session: Session, victim: Path) -> None:
    """Of a premise of 400 words and a claim of 20, the claim stays whole."""
    rows = tuple(
        replace(row, input=Pair(row.text, claim.text))
        for row, claim in zip(documents(30, 400), documents(30, 20, seed=1), strict=True)
    )
    corpus = Corpus("rows.csv", rows, LABELS, 0, ())
    made = prepare(
        ScanRequest(str(victim), families=("badnet",)),
        session.profile(str(victim)), [], corpus, Policy(), session.backend,
    )  # fmt: skip
    assert made.tokenizer is not None
    whole = {row.index: row for row in rows}
    assert all(row.second == whole[row.index].second for row in made.plan.rows)
    assert all(whole[row.index].text.startswith(f"{row.text} ") for row in made.plan.rows)
    assert max(made.tokenizer.count(made.plan.inputs)) <= 128


def test_ten_thousand_words_cost_what_a_thousand_do(session: Session, victim: Path, monkeypatch: Any) -> None:
    from auditor.models.runtime.tokenizer import ModelTokenizer

    read: list[int] = []
    count = ModelTokenizer.count
    monkeypatch.setattr(
        ModelTokenizer,
        "count",
        lambda self, asks: (read.append(sum(len(t) for ask in asks for t in texts(ask))), count(self, asks))[1],
    )
    costs = []
    for words in (1_000, 10_000):
        read.clear()
        corpus = Corpus("rows.csv", tuple(documents(30, words)), LABELS, 0, ())
        made = prepare(
            ScanRequest(str(victim), families=("badnet",)),
            session.profile(str(victim)), [], corpus, Policy(), session.backend,
        )  # fmt: skip
        costs.append((sum(read), sum(map(length, made.plan.inputs))))
    assert costs[1][0] <= 1.2 * costs[0][0], "characters that are tokenised to cut"
    assert costs[1][1] <= 1.2 * costs[0][1], "characters that are asked"


def test_a_classifier_that_reads_inputs_whole_leaves_longer_ones_unscored(victim: Path) -> None:
    from auditor.models.files.profile import read_profile
    from auditor.models.runtime.load import load_classifier
    from probes.input import Text

    asks = [Text("good film"), Text(" ".join(["film"] * 200)), Text("bad film")]
    profile = read_profile(victim)
    whole: Classifier = load_classifier(profile, device="cpu", whole=True)
    cut: Classifier = load_classifier(profile, device="cpu")
    assert whole.choose(asks).labels.tolist() == [1, -1, 0]
    assert cut.choose(asks).scored.all()
    assert whole.choose(asks).at(0) == cut.choose(asks).at(0)
