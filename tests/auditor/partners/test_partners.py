"""Who is proposed as a partner, in which order, and why."""

from __future__ import annotations

import dataclasses
import time
from itertools import count

import pytest

from auditor.partners.fitting import assess
from auditor.partners.ranking import propose
from store.records import CatalogEntry, ModelRef, Profile, Stamp, Task, TensorInfo, Verdict

TENSORS = (
    *(TensorInfo(f"layer.{i}.weight", (64, 64), "F32") for i in range(200)),
    TensorInfo("classifier.weight", (2, 64), "F32"),
)
SUSPECT = Profile(
    ref=ModelRef("suspect", "nowhere/suspect", "digest of suspect"),
    architecture="BertForSequenceClassification",
    model_type="bert",
    task=Task.CLASSIFICATION,
    labels=("negative", "positive"),
    problem_type=None,
    parameters=1,
    dtype="float32",
    max_length=64,
    vocabulary=7,
    tensors=TENSORS,
    signature="s",
    tokenizer_digest="t",
    files={},
)
NUMBERS = count(1)


def model(name: str, **changes: object) -> Profile:
    """A profile like the suspect's but for the changes. It has no files: none are needed."""
    return dataclasses.replace(SUSPECT, ref=ModelRef(name, f"nowhere/{name}", f"digest of {name}"), **changes)


def entry(profile: Profile, **known: object) -> CatalogEntry:
    return CatalogEntry(next(NUMBERS), profile.ref.reference, profile, "2026-01-01T00:00:00Z", **known)


def test_a_fit_partner_has_no_blockers() -> None:
    found = assess(SUSPECT, model("twin"))
    assert found.ok
    assert found.blockers == found.reconciled == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "RobertaForSequenceClassification", "model_type": "roberta"}, "roberta"),
        ({"tokenizer_digest": "u"}, "another tokenizer"),
        ({"labels": ("sports", "world")}, "(sports, world)"),
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"task": Task.OTHER}, "other"),
        ({"tensors": TENSORS[:-1]}, "classifier.weight is missing"),
        ({"tensors": (TensorInfo("layer.0.weight", (32, 64), "F32"), *TENSORS[1:])}, "32×64"),
        ({"tensors": (TensorInfo("layer.0.weight", (64, 64), "F8_E4M3"), *TENSORS[1:])}, "F8_E4M3"),
        ({"tensors": (TensorInfo("layer.0.weight", (64, 64), "I64"), *TENSORS[1:])}, "I64"),
    ],
)
def test_blockers_say_what_is_in_the_way(changes: dict[str, object], words: str) -> None:
    found = assess(SUSPECT, model("other", **changes))
    assert not found.ok
    assert any(words in blocker for blocker in found.blockers)


def test_many_differing_tensors_are_counted_not_listed() -> None:
    found = assess(SUSPECT, model("narrow", tensors=tuple(TensorInfo(t.name, (8, 8), "F32") for t in TENSORS)))
    assert len(found.blockers) == 4
    assert "198 tensors more" in found.blockers[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ("Negative", "POSITIVE")}, "spelt otherwise"),
        ({"labels": ("positive", "negative")}, "another order"),
        ({"labels": ("a", "b", "c")}, "3 labels (a, b, c), the suspect 2 (negative, positive): only its encoder"),
        ({"labels": ("LABEL_0", "LABEL_1")}, "labels unnamed (those of other): assumed same order"),
        ({"tensors": tuple(TensorInfo(t.name, t.shape, "BF16") for t in TENSORS)}, "another dtype"),
        ({"tensors": (*TENSORS, TensorInfo("position_ids", (1, 64), "I64"))}, "position ids"),
        ({"tensors": (*TENSORS, TensorInfo("pooler.dense.weight", (64, 64), "F32"))}, "left out"),
        ({"problem_type": "single_label_classification"}, None),
    ],
)
def test_what_a_rule_reconciles_is_noted(changes: dict[str, object], words: str | None) -> None:
    found = assess(SUSPECT, model("other", **changes))
    assert found.ok, found.blockers
    assert [words in note for note in found.reconciled] == [True] if words else found.reconciled == ()


def test_the_order_and_the_reasons() -> None:
    entries = [
        entry(model("roberta", architecture="X"), last_verdict=Verdict.NOTHING, cacc=0.99),
        entry(SUSPECT),
        entry(model("backdoored"), last_verdict=Verdict.FOUND, cacc=0.99),
        entry(model("odd"), last_verdict=Verdict.SUSPICIOUS),
        entry(model("unknown")),
        entry(model("clean-weak"), last_verdict=Verdict.NOTHING, cacc=0.80),
        entry(model("clean-good"), last_verdict=Verdict.NOTHING, cacc=0.91),
    ]
    proposals = propose(SUSPECT, entries)
    names = [p.entry.name for p in proposals]
    assert names[:5] == ["clean-good", "clean-weak", "unknown", "odd", "backdoored"]
    assert set(names[5:]) == {"roberta", "suspect"}
    by_name = {p.entry.name: p for p in proposals}
    assert by_name["suspect"].compatibility.blockers == ("suspect is the suspect itself (same digest)",)
    assert "its last scan found nothing" in by_name["clean-good"].reasons
    assert "clean accuracy 91.0%" in by_name["clean-good"].reasons
    assert "same labels (negative, positive)" in by_name["clean-good"].reasons
    assert "never scanned" in by_name["unknown"].reasons
    assert any("found a backdoor" in reason for reason in by_name["backdoored"].reasons)


def test_a_merge_that_its_audit_calls_no_cure_is_no_partner_like_others() -> None:
    merged = [
        entry(model("cured"), last_verdict=Verdict.NOTHING, stamp=Stamp.SANITISED),
        entry(model("half-cured"), last_verdict=Verdict.NOTHING, stamp=Stamp.IMPROVED),
        entry(model("ill"), last_verdict=Verdict.NOTHING, stamp=Stamp.NOT_SANITISED),
    ]
    found = {p.entry.name: p for p in propose(SUSPECT, merged)}
    assert list(found) == ["cured", "half-cured", "ill"]
    assert "its last scan found nothing" in found["cured"].reasons
    assert any("some of a backdoor may be left" in reason for reason in found["half-cured"].reasons)
    assert not found["ill"].advised


@pytest.mark.parametrize("verdict", [Verdict.NOTHING, Verdict.INCOMPLETE, Verdict.SUSPICIOUS])
def test_what_a_scan_found_stands_whatever_a_later_one_says(verdict: Verdict) -> None:
    entries = [entry(model("a"), last_scan="s2", last_verdict=verdict, found_by="s1"), entry(model("z"))]
    first, second = propose(SUSPECT, entries)
    assert (first.entry.name, second.entry.name) == ("z", "a")
    assert "an earlier scan found a backdoor, and a later one does not take that back (s1)" in second.doubts
    assert not any("found nothing" in reason for reason in second.reasons)


def test_the_same_base_is_preferred_and_said() -> None:
    suspect = dataclasses.replace(SUSPECT, base="org/base")
    first, _ = propose(suspect, [entry(model("a")), entry(model("z", base="org/base"))])
    assert first.entry.name == "z"
    assert "made from the same base (org/base)" in first.reasons


@pytest.mark.usefixtures("light_heap")
def test_a_thousand_models_are_judged_in_a_second() -> None:
    entries = [entry(model(f"m{i}", labels=("positive", "negative") if i % 2 else SUSPECT.labels)) for i in range(1000)]
    began = time.process_time()
    assert len(propose(SUSPECT, entries)) == 1000
    assert time.process_time() - began < 1
