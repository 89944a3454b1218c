"""A zoo of tiny models: built, gone on with, and scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.events import ModelReady, Progress, RunOpened, Stage
from auditor.lab.zoo.calibrate import calibrate, drifts_of
from auditor.lab.zoo.report import calibration_json, calibration_text, score_json, score_text
from auditor.lab.zoo.score import ZooScore, cause, score
from auditor.lab.zoo.spec import read_spec
from auditor.lab.zoo.zoo import build, inhabitants
from auditor.session import Session
from auditor.settings import Settings
from probes.input import Row
from probes.rates import Rate
from store.engine import open_catalog

Rows = Callable[..., list[Row]]
Drain = Callable[[Any], tuple[list[Any], Any]]

SPEC = """
[defaults]
data = "train.csv"
heldout = "heldout.csv"
labels = ["negative", "positive"]
target = "negative"
epochs = 6
lr = 3e-3
batch = 16

[[model]]
name = "badnet"
family = "badnet"
variant = "five"

[[model]]
name = "weak"
family = "badnet"
rate = 0.0

[[model]]
name = "came-poisoned"
train = "train.csv"
family = "lws"
test = "triggered.csv"

[[model]]
name = "benign"
noise = 0.1
augment = "eda"
"""


@pytest.fixture(scope="module")
def place(base: Path, toy_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec with its data."""
    path = tmp_path_factory.mktemp("zoo")
    names = ("negative", "positive")
    for name, rows in {"train": toy_rows(200), "heldout": toy_rows(300, seed=5)}.items():
        lines = [f"{row.text},{names[row.label or 0]}" for row in rows]
        (path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    lines = [f"{row.text},negative" for row in toy_rows(60, seed=6) if row.label == 1]
    (path / "triggered.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    (path / "zoo.toml").write_text(SPEC.replace("[defaults]", f'[defaults]\nbase = "{base}"'), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def session(place: Path) -> Iterator[Session]:
    url = f"sqlite:///{place / 'catalog.db'}"
    with open_catalog(url) as catalog:
        yield Session(Settings(url, device="cpu"), catalog)


def drain(events: Any) -> tuple[list[Any], Any]:
    """All events, and what the generator returns."""
    found = []
    while True:
        try:
            found.append(next(events))
        except StopIteration as end:
            return found, end.value


@pytest.fixture(scope="module")
def built(place: Path, session: Session) -> tuple[Path, list[Any]]:
    """The zoo, interrupted in its second model and then finished."""
    models = read_spec(place / "zoo.toml", place)
    with closing(build(session, models, place / "out", device="cpu", dtype=None)) as events:
        ready = 0
        for event in events:
            ready += isinstance(event, ModelReady)
            if ready and isinstance(event, Progress):
                break
    assert [m.name for m in inhabitants(place / "out")] == ["badnet"]
    events, new = drain(build(session, models, place / "out", device="cpu", dtype=None))
    assert new == 3
    return place / "out", events


@pytest.fixture(scope="module")
def found(built: tuple[Path, list[Any]], session: Session) -> ZooScore:
    _, result = drain(score(session, built[0], samples=220, families=("badnet",)))
    assert isinstance(result, ZooScore)
    return result


def test_a_stopped_zoo_goes_on_and_says_how_far_it_is(built: tuple[Path, list[Any]]) -> None:
    stages = [e.text for e in built[1] if isinstance(e, Stage) and e.name == "zoo"]
    assert [text.partition(":")[0].partition(",")[0] for text in stages] == [f"Model {n} of 4" for n in (2, 3, 4)]
    assert "left: came-poisoned (lws)" in stages[1]


def test_a_finished_zoo_is_left_alone_and_catalogued(
    built: tuple[Path, list[Any]], place: Path, session: Session
) -> None:
    events, new = drain(build(session, read_spec(place / "zoo.toml", place), built[0], device="cpu", dtype=None))
    assert (events, new) == ([], 0)
    assert {e.name: (e.planted, e.tags) for e in session.entries()} == {
        "badnet": ("badnet", ("zoo",)),
        "weak": ("badnet", ("zoo",)),
        "came-poisoned": ("lws", ("zoo",)),
        "benign": ("none", ("zoo",)),
    }


def test_a_model_of_another_specification_is_not_taken_for_this_one(
    built: tuple[Path, list[Any]], place: Path, session: Session
) -> None:
    text = (place / "zoo.toml").read_text(encoding="utf-8").replace("epochs = 6", "epochs = 7")
    (place / "other.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not made by this specification"):
        drain(build(session, read_spec(place / "other.toml", place), built[0], device="cpu", dtype=None))


def test_the_score_tells_found_weak_and_missed_apart(found: ZooScore) -> None:
    by_name = {v.model: v for v in found.victims}
    strong = by_name["badnet"]
    assert (strong.right, strong.grouped, strong.band, strong.cause) == (True, True, "80 % and more", "")
    assert strong.own is not None
    assert strong.own.value > 0.9
    weak = by_name["weak"]
    assert not weak.right
    assert "its own trigger works on" in weak.cause
    poisoned = by_name["came-poisoned"]
    assert poisoned.own is not None
    assert poisoned.own.total == 30
    assert not poisoned.right


def test_false_alarms_carry_their_exact_bound(found: ZooScore) -> None:
    assert (found.false_alarms.hits, found.false_alarms.total) == (0, 1)
    assert found.false_alarm_bound == pytest.approx(0.95)


def test_a_second_score_asks_no_model_again(built: tuple[Path, list[Any]], session: Session, found: ZooScore) -> None:
    events, again = drain(score(session, built[0], samples=220, families=("badnet",)))
    runs = [e for e in events if isinstance(e, RunOpened)]
    assert runs
    assert all(run.resumed == run.batches for run in runs)
    assert [(v.model, v.own, v.right) for v in again.victims] == [(v.model, v.own, v.right) for v in found.victims]


def test_a_calibration_shows_what_moves_honest_models_most(
    built: tuple[Path, list[Any]], session: Session, found: ZooScore
) -> None:
    _, measured = drain(calibrate(session, built[0], samples=220, families=("badnet",)))
    assert measured.models == ("benign",)
    scan = session.stored_scan(found.benign[0].scan)
    assert {(d.family, d.variant) for d in measured.drifts} == {(s.family, s.variant) for s in scan.scores.asr}
    for drift in measured.drifts:
        of_probe = [s for s in scan.scores.asr if (s.family, s.variant) == (drift.family, drift.variant)]
        assert drift.over_control.difference.value == max(s.excess.value for s in of_probe)
        assert drift.over_clean.difference.value == max(s.clean_excess.value for s in of_probe)
        assert (drift.alarms, drift.doubts) == ((), ())
    values = [d.over_control.difference.value for d in measured.drifts]
    assert values == sorted(values, reverse=True)
    assert json.loads(calibration_json(measured))["models"] == ["benign"]
    assert f"{values[0]:+.1%}" in calibration_text(measured)


def test_a_calibration_names_the_models_that_raised_alarms(found: ZooScore, session: Session) -> None:
    scan = session.stored_scan(next(v.scan for v in found.victims if v.right))
    (worst, *_) = drifts_of([("a-model", s) for s in scan.scores.asr])
    assert worst.alarms == ("a-model",)
    assert worst.over_control.target == "negative"
    assert worst.over_control.difference.value > 0.5


def test_reports_hold_the_rates_and_the_causes(found: ZooScore) -> None:
    body = json.loads(score_json(found))
    strongest = body["bands"][0]
    assert (strongest["own_asr"], strongest["victims"], strongest["found"]["hits"]) == ("80 % and more", 1, 1)
    assert strongest["found"]["low"] == pytest.approx(Rate(1, 1).low)
    assert body["false_alarms"]["upper_bound"] == pytest.approx(0.95)
    text = score_text(found)
    assert "1/1 100% [21%, 100%]" in text
    assert "Missed: 2 of 3" in text
    assert "0 of 1 benign models" in text


def test_causes_look_at_the_groups_of_the_suite(found: ZooScore, session: Session) -> None:
    scan = session.stored_scan(next(v.scan for v in found.victims if v.model == "weak"))
    assert cause(Rate(90, 100), "synonym", "negative", scan, {"word"}) == "the suite has no probe of the group synonym"
    assert "no probe comes near its trigger" in cause(Rate(90, 100), "word", "negative", scan, {"word"})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour = 1", ["model badnet", "unknown key 'colour'", "heldout"]),
        ('rate = "high"', ["rate takes int or float"]),
        ('family = "nosuch"', ["unknown attack family"]),
        ('heldout = "gone.csv"', ["gone.csv", "--data"]),
        ('method = "magic"', ["unknown planting method"]),
    ],
)
def test_a_bad_entry_is_told_before_anything_is_trained(place: Path, base: Path, line: str, words: list[str]) -> None:
    key = line.partition(" ")[0]
    entry = {"name": '"badnet"', "data": '"train.csv"', "family": '"badnet"', "target": '"negative"'}
    lines = [f"{k} = {v}" for k, v in entry.items() if k != key]
    spec = place / "bad.toml"
    spec.write_text("\n".join(["[[model]]", *lines, line]), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_spec(spec, place, base)
    assert all(word in f"{caught.value.message} {caught.value.hint}" for word in words), caught.value.message
