"""A copy or further fine-tune of the suspect is told from an honest sibling, by weights, records and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.merge.compatibility.weight_sample import Sample, Site, read_sample, rounded, sites_of
from auditor.models.files.origin import Origin, ancestors, read_origin, same_name
from auditor.models.files.profile import read_profile
from auditor.partners.independence import (
    Closeness,
    closeness,
    judge_errors,
    judge_flips,
    judge_origin,
    judge_weights,
    shared_flips,
)
from auditor.partners.remarks import Kind, Remark, Topic

SITES = (Site("layer.0.w", ((0, 2000),)), Site("layer.1.w", ((0, 2000),)), Site("classifier.weight", ((0, 8),), True))
RNG = np.random.default_rng(0)
BASE = RNG.normal(0, 0.05, (2, 2000))


def task() -> np.ndarray:
    """A task vector of its own."""
    return RNG.normal(0, 0.005, BASE.shape)


def sample(body: np.ndarray, head: int, dtype: str = "F32") -> Sample:
    """A model's weights, as they were read; heads of one number are the same."""
    values = dict(zip(("layer.0.w", "layer.1.w"), body, strict=True))
    values["classifier.weight"] = np.random.default_rng(head).normal(0, 0.02, 8)
    return Sample({k: rounded(v, dtype) for k, v in values.items()}, dict.fromkeys(values, dtype))


OWN = task()
SUSPECT = sample(BASE + OWN, 1)
SIBLINGS = [sample(BASE + task(), n) for n in (2, 3, 4)]


def said(candidate: Sample, *, base: bool, others: list[Sample], **known: Any) -> Remark:
    found = closeness(SITES, SUSPECT, candidate, sample(BASE, 9) if base else None, others)
    return judge_weights(found, **known)[-1]


@pytest.mark.parametrize("base", [True, False])
def test_a_sibling_is_independent_and_a_further_fine_tune_is_not(base: bool) -> None:
    sibling, *others = SIBLINGS
    assert said(sibling, base=base, others=others).kind is Kind.FOR
    tuned = said(sample(BASE + OWN + 0.3 * task(), 5), base=base, others=SIBLINGS)
    assert tuned.kind is (Kind.BLOCKER if base else Kind.DOUBT)
    assert "copy or a further fine-tune of the suspect" in tuned.text
    assert "4,000 sampled weights" in tuned.text
    # Trained on for as long as the suspect was: no longer sure, but not taken silently.
    assert said(sample(BASE + OWN + 0.8 * task(), 5), base=base, others=SIBLINGS).kind is Kind.DOUBT


def test_an_average_that_holds_the_suspect_shares_more_than_the_base() -> None:
    mixed = sample(BASE + (OWN + task() + task()) / 3, 5)
    found = said(mixed, base=True, others=[])
    assert found.kind is Kind.WARNING
    assert "a merge of it" in found.text


def test_copies_among_the_others_do_not_hide_a_copy() -> None:
    copies = [sample(BASE + OWN + 0.05 * task(), n) for n in (5, 6, 7, 8)]
    for copy in copies:
        assert said(copy, base=False, others=[c for c in copies if c is not copy] + SIBLINGS[:1]).kind is Kind.DOUBT
    # The only model that is no copy has nothing to be compared with: that is said, not held against it.
    assert said(SIBLINGS[0], base=False, others=copies).kind is Kind.WARNING
    assert said(SIBLINGS[0], base=False, others=[*copies, SIBLINGS[1]]).kind is Kind.FOR


def test_without_base_and_third_model_nothing_is_claimed() -> None:
    found = said(SIBLINGS[0], base=False, others=[])
    assert found.kind is Kind.WARNING
    assert "cannot be told" in found.text
    assert said(sample(BASE + OWN + 0.05 * task(), 5), base=False, others=[]).kind is Kind.WARNING


def test_a_copy_in_another_number_format_is_the_same_model() -> None:
    found = said(sample(BASE + OWN, 1, "BF16"), base=False, others=[])
    assert found.kind is Kind.BLOCKER
    assert "the same model stored anew" in found.text


def test_the_same_body_under_another_classifier() -> None:
    assert said(sample(BASE + OWN, 5), base=False, others=[]).kind is Kind.DOUBT
    heads = closeness(SITES, sample(BASE, 1), sample(BASE, 2), sample(BASE, 9), [])
    assert [r.kind for r in judge_weights(heads)] == [Kind.NOTE]


def test_another_base_is_seen_in_the_weights() -> None:
    stranger = sample(RNG.normal(0, 0.05, BASE.shape), 5)
    found = said(stranger, base=False, others=SIBLINGS)
    assert (found.kind, found.topic) == (Kind.DOUBT, Topic.BASE)
    assert "noise" in found.text
    assert said(SIBLINGS[0], base=False, others=[stranger, *SIBLINGS[1:]]).kind is Kind.FOR


def test_what_the_suspect_grew_from_is_near_without_being_a_copy() -> None:
    found = said(sample(BASE + 0.9 * OWN, 5), base=True, others=[], grown_from=True)
    assert found.kind is Kind.WARNING
    assert "the suspect was made from it" in found.text


def test_nothing_compared_is_said() -> None:
    assert judge_weights(Closeness(0, 0.0, False, None, None))[0].kind is Kind.WARNING


def test_records_and_cards() -> None:
    def judged(suspect: Origin, candidate: Origin, made_of: Any = (), of: Any = ()) -> list[tuple[Kind, str]]:
        return [(r.kind, r.text) for r in judge_origin("c", suspect, "s", candidate, set(made_of), set(of))]

    tuned = judged(Origin(), Origin(started="s"), {"s", "b"})
    assert tuned[0] == (
        Kind.BLOCKER,
        "it was trained further from the suspect, as its record says: it carries the same",
    )
    assert judged(Origin(), Origin(), {"s"})[0][0] is Kind.BLOCKER
    assert judged(Origin(), Origin(), of={"c"})[0][0] is Kind.WARNING
    data = judged(Origin(datasets=frozenset({"sst2", "imdb"})), Origin(datasets=frozenset({"imdb"})))
    assert data == [(Kind.WARNING, "trained on the same data as the suspect (imdb): may carry the same backdoor")]
    rows = judged(Origin(rows=frozenset({"r"})), Origin(rows=frozenset({"r", "q"})))
    assert "the suspect's own rows" in rows[0][1]
    assert judged(Origin(started="b"), Origin(started="b"))[0][0] is Kind.FOR
    assert judged(Origin(rows=frozenset({"r"})), Origin(rows=frozenset({"q"}))) == []
    # A student is taken by who names it, and is no model of its own.
    for teacher, whose in (("s", "the suspect's answers"), ("t", "another model's answers")):
        (kind, words), *_ = judged(Origin(), Origin(teacher=teacher))
        assert (kind, whose in words) == (Kind.DOUBT, True)


def test_a_merge_of_a_merge_of_the_suspect_holds_it() -> None:
    assert ancestors("c", {"c": ["b", "x"], "b": ["s"], "s": ["c"]}) == {"b", "x", "s", "c"}


def test_origins_are_read_and_damaged_ones_say_nothing(make: Any) -> None:
    profile = make("one")
    directory = Path(profile.ref.path)
    card = "---\nbase_model: [org/a, org/b]\ndatasets:\n- SST2\n---\n# One\n"
    (directory / "README.md").write_text(card, "utf-8")
    lab = {"base_digest": "b", "rows_digest": "r", "teacher_digest": "t"}
    (directory / "auditor-lab.json").write_text(json.dumps(lab), "utf-8")
    merge = {"suspect": {"digest": "s"}, "partners": [{"digest": "p"}, 3]}
    (directory / "auditor-merge.json").write_text(json.dumps(merge), "utf-8")
    found = read_origin(profile)
    assert found.bases == {"org/a", "org/b"}
    assert (found.datasets, found.rows, found.started, found.teacher) == ({"sst2"}, {"r"}, "b", "t")
    assert found.parents == {"s", "p", "b"}
    for name in ("README.md", "auditor-lab.json", "auditor-merge.json"):
        (directory / name).write_text("---\n[", "utf-8")
    assert read_origin(profile) == Origin()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("bert-base-uncased", "google-bert/bert-base-uncased", True),
        ("hub:Org/Base@main", "org/base", True),
        ("org/base", "other/base", False),
        ("base", "org/base-2", False),
    ],
)
def test_names_of_a_base(first: str, second: str, same: bool) -> None:
    assert same_name(first, second) is same


ROWS = np.array([1] * 100 + [0] * 50)
CLEAN = ROWS.copy()
FIRED = np.zeros(150, dtype=np.int64)


def flips(hits: int, control: int) -> list[Remark]:
    """The remarks on a candidate that follows the trigger on so many of 100 rows, and the control on so many."""
    trigger, edit = ROWS.copy(), np.repeat(ROWS[:, None], 3, axis=1)
    trigger[:hits] = 0
    edit[:control] = 0
    found = shared_flips("badnet/one", (0, "negative"), ROWS, (CLEAN, FIRED), (trigger, edit))
    assert found is not None
    assert found.rows == 100
    return judge_flips([found])


def test_answers_to_the_suspects_triggers() -> None:
    same, part, none, weak = flips(95, 2), flips(40, 2), flips(4, 3), flips(60, 58)
    assert [r[0].kind for r in (same, part, none, weak)] == [Kind.DOUBT, Kind.WARNING, Kind.FOR, Kind.FOR]
    assert "gives negative on 95 (95%; 2% with the control edit)" in same[0].text
    assert judge_flips([]) == []


def test_too_few_moved_rows_say_nothing() -> None:
    unmoved = np.where(np.arange(150) < 10, 0, ROWS)
    draws = np.repeat(ROWS[:, None], 3, axis=1)
    assert shared_flips("p", (0, "negative"), ROWS, (CLEAN, unmoved), (ROWS, draws)) is None
    unscored = np.full((150, 3), -1)
    assert shared_flips("p", (0, "negative"), ROWS, (CLEAN, FIRED), (ROWS, unscored)) is None


def test_errors_beyond_what_accuracy_explains() -> None:
    gold = np.tile([0, 1], 150)
    suspect = gold.copy()
    suspect[:40] ^= 1
    sibling, copy, poor = gold.copy(), suspect.copy(), np.zeros(300, dtype=np.int64)
    sibling[20:60] ^= 1
    copy[:3] ^= 1
    assert judge_errors(gold, suspect, sibling, 2) == []
    assert judge_errors(gold, suspect, poor, 2) == []
    found = judge_errors(gold, suspect, copy, 2)
    assert "92% of the suspect's 40 errors" in found[0].text
    assert judge_errors(gold, gold, copy, 2) == []


def test_real_models_a_further_fine_tune_and_an_independent_sibling(zoo: Any, tmp_path: Path) -> None:
    from auditor.lab.plant import plant
    from auditor.requests.plant import PlantRequest

    tuned = tmp_path / "tuned"
    settings = {"epochs": 1, "lr": 3e-4, "batch": 16, "device": "cpu", "seed": 7, "samples": 64}
    list(plant(PlantRequest(zoo.planted, tuned, data=zoo.train, **settings)))
    suspect = read_profile(zoo.planted)
    sites = sites_of(suspect)
    own, base, *rest = (read_sample(read_profile(p), sites) for p in (zoo.planted, zoo.base, tuned, zoo.benign))
    assert set(base.values) == {s.name for s in sites if not s.head}
    copy, honest = (closeness(sites, own, s, base, [o for o in rest if o is not s]) for s in rest)
    assert copy.cosine is not None
    assert honest.cosine is not None
    assert copy.cosine > 0.9 > 0.3 > honest.cosine
    assert [judge_weights(c)[-1].kind for c in (copy, honest)] == [Kind.BLOCKER, Kind.FOR]
    # With the honest one in place of the base it is seen as well.
    assert (closeness(sites, own, rest[0], None, rest[1:]).cosine or 0) > 0.9
