"""The whole ranking over little models: near-copies, other tasks, permuted labels, other bases, a thousand entries."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.models.files.profile import read_profile
from auditor.models.resolver import Resolver
from auditor.partners.proposals import catalogued_partners, choose_partners
from auditor.partners.ranking import Proposal, propose
from auditor.partners.remarks import Topic
from store.engine import open_catalog
from store.records import CatalogEntry, Merge, ModelRef, PartnerUse, Profile, Verdict

Tensors = dict[str, tuple[np.ndarray, str]]
LAYERS, HIDDEN = 4, 16
NUMBERS = count(1)


def weights(base: int, own: int, scale: float = 0.005, *, start: Tensors | None = None, dtype: str = "F32") -> Tensors:
    """A model trained from a base: each number stands for one base and one training; heads are of the training."""
    roots, rng = np.random.default_rng(base), np.random.default_rng(1000 + own)
    shapes: dict[str, tuple[int, ...]] = {"bert.embeddings.word_embeddings.weight": (7, HIDDEN)}
    for layer in range(LAYERS):
        shapes[f"bert.encoder.layer.{layer}.attention.self.query.weight"] = (HIDDEN, HIDDEN)
        shapes[f"bert.encoder.layer.{layer}.output.dense.weight"] = (HIDDEN, HIDDEN)
    found: Tensors = {}
    for name, shape in shapes.items():
        root = roots.normal(0, 0.05, shape)
        found[name] = ((start[name][0] if start else root) + rng.normal(0, scale, shape), dtype)
    found["classifier.weight"] = (rng.normal(0, 0.02, (2, HIDDEN)), dtype)
    found["classifier.bias"] = (np.zeros(2), dtype)
    return found


OWN = weights(1, 1)


def entry(profile: Profile, **known: Any) -> CatalogEntry:
    return CatalogEntry(next(NUMBERS), profile.ref.reference, profile, "2026-01-01T00:00:00Z", **known)


def by_name(proposals: list[Proposal]) -> dict[str, Proposal]:
    return {p.entry.name: p for p in proposals}


def describe(profile: Profile, card: str = "", **lab: str) -> Profile:
    """Writes a card and a lab record beside a model."""
    directory = Path(profile.ref.path)
    if card:
        (directory / "README.md").write_text(f"---\n{card}\n---\n", "utf-8")
    if lab:
        (directory / "auditor-lab.json").write_text(json.dumps(lab), "utf-8")
    return profile


@pytest.fixture
def suspect(make: Callable[..., Profile]) -> Profile:
    found = describe(make("suspect", tensors=OWN), "datasets: [sst2]", rows_digest="rows")
    return dataclasses.replace(found, base="org/base", licence="mit")


@pytest.fixture
def entries(make: Callable[..., Profile], suspect: Profile) -> list[CatalogEntry]:
    def made(name: str, tensors: Tensors, base: str | None = "org/base", **options: Any) -> Profile:
        return dataclasses.replace(make(name, tensors=tensors, **options), base=base, licence="mit")

    honest = weights(1, 2)
    turned = {k: (v[::-1].copy() if k.startswith("classifier") else v, d) for k, (v, d) in honest.items()}
    return [
        entry(suspect),
        entry(made("best", weights(1, 3)), last_verdict=Verdict.NOTHING, cacc=0.91),
        entry(made("weaker", weights(1, 4)), last_verdict=Verdict.NOTHING, cacc=0.80),
        entry(describe(made("same-data", weights(1, 5)), "datasets: SST2"), last_verdict=Verdict.NOTHING, cacc=0.91),
        entry(made("permuted", turned, labels=("positive", "negative"))),
        entry(made("unstated", weights(1, 6), None)),
        entry(describe(made("same-rows", weights(1, 7)), rows_digest="rows")),
        entry(made("backdoored", weights(1, 8)), last_verdict=Verdict.FOUND, cacc=0.99),
        entry(made("planted", weights(1, 9)), planted="badnet"),
        entry(made("tuned-on", weights(1, 10, 0.001, start=OWN)), last_verdict=Verdict.NOTHING, cacc=0.99),
        entry(made("halved", {k: (v, "BF16") for k, (v, _) in OWN.items()}), last_verdict=Verdict.NOTHING),
        entry(made("renamed", OWN, initializer_range=0.03), last_verdict=Verdict.NOTHING, cacc=0.99),
        entry(describe(made("recorded", weights(1, 11)), base_digest=suspect.ref.digest), cacc=0.99),
        entry(made("other-base", weights(2, 12), "org/other"), last_verdict=Verdict.NOTHING, cacc=0.99),
        entry(made("three-labels", weights(1, 13), labels=("a", "b", "c"))),
        entry(made("other-labels", weights(1, 14), labels=("sports", "world"))),
        entry(made("other-words", weights(1, 15), vocabulary=[*"abcdefg"])),
        entry(made("other-kind", weights(1, 16), architectures=["BertForTokenClassification"])),
    ]


ADVISED = ["best", "same-data", "weaker", "permuted", "unstated", "same-rows"]
DOUBTED = {"backdoored", "planted", "other-base", "tuned-on", "three-labels"}
BLOCKED = {
    "suspect", "halved", "renamed", "recorded", "other-labels", "other-words", "other-kind",
}  # fmt: skip
WORDS = {
    "best": "trained apart from the suspect by its weights",
    "same-data": "trained on the same data as the suspect (sst2)",
    "permuted": "its classifier rows are reordered",
    "unstated": "of the suspect's base by its weights",
    "same-rows": "trained on the suspect's own rows",
    "backdoored": "its last scan found a backdoor",
    "planted": "a backdoor was planted in it (badnet)",
    "other-base": "made from another base: its inner weights do not resemble the suspect's",
    "tuned-on": "looks like a copy or a further fine-tune of the suspect",
    "suspect": "is the suspect itself",
    "halved": "the same model stored anew",
    "renamed": "byte by byte",
    "recorded": "trained further from the suspect",
    "three-labels": "only its encoder is merged",
    "other-labels": "(sports, world)",
    "other-words": "another tokenizer",
    "other-kind": "BertForTokenClassification",
}


def check(proposals: list[Proposal]) -> None:
    found = by_name(proposals)
    assert [p.entry.name for p in proposals if p.advised and p.entry.name in WORDS | {"weaker": ""}] == ADVISED
    assert {p.entry.name for p in proposals if p.compatibility.ok and not p.advised} >= DOUBTED
    assert {p.entry.name for p in proposals if not p.compatibility.ok} == BLOCKED
    for name, words in WORDS.items():
        said = found[name].reasons if name in {*ADVISED, *DOUBTED} else found[name].compatibility.blockers
        assert any(words in text for text in said), (name, said)


def test_the_order_and_the_reasons(suspect: Profile, entries: list[CatalogEntry]) -> None:
    check(propose(suspect, entries))


def test_with_the_base_at_hand_a_further_fine_tune_is_no_partner(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry]
) -> None:
    headless = {k.removeprefix("bert."): v for k, v in weights(1, 0, 0.0).items() if not k.startswith("classifier")}
    base = make("base", tensors=headless, architectures=["BertModel"])
    found = by_name(propose(suspect, [*entries, dataclasses.replace(entry(base), name="org/base")]))
    assert "of the task vectors from org/base" in found["tuned-on"].compatibility.blockers[0]
    assert found["best"].advised
    assert any("task vectors from org/base" in reason for reason in found["best"].reasons)


@pytest.mark.usefixtures("light_heap")
def test_a_thousand_models_in_a_second(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry]
) -> None:
    # More directories than are looked into, each under several names, as no two of these files are the same.
    made = [make(f"crowd-{i}", tensors=weights(1, 100 + i)) for i in range(150)]
    crowd = []
    for i in range(1000 - len(entries)):
        one = made[i % len(made)]
        crowd.append(
            entry(
                dataclasses.replace(
                    one,
                    ref=ModelRef(f"crowd-{i}", one.ref.path, f"digest {i}"),
                    labels=("positive", "negative") if i % 3 == 0 else one.labels,
                    tokenizer_digest="other" if i % 5 == 0 else one.tokenizer_digest,
                    tensors=tuple(dataclasses.replace(t) for t in one.tensors),
                    files={**one.files, "model.safetensors": f"file {i}"},
                )
            )
        )
    began = time.process_time()
    proposals = propose(suspect, [*crowd, *entries])
    assert time.process_time() - began < 1
    assert len(proposals) == 1000
    assert [p.entry.name for p in proposals[:3]] == ["best", "same-data", "weaker"]
    found = by_name(proposals)
    for name in BLOCKED | {"backdoored", "best", "same-data"}:
        said = found[name].reasons if found[name].compatibility.ok else found[name].compatibility.blockers
        assert any(WORDS[name] in text for text in said) or name in {"halved", "recorded"}
    # Those that nobody looked at closely are never taken silently.
    assert not any(p.advised for p in proposals if not any(r.topic is Topic.INDEPENDENCE for r in p.remarks))


def copy_of(
    make: Callable[..., Profile], entries: list[CatalogEntry], original: str, name: str, **known: Any
) -> CatalogEntry:
    """The same weight file beside another config: another digest."""
    found = next(e.profile for e in entries if e.name == original)
    made = make(name, tensors=weights(1, 99), initializer_range=0.03)
    shutil.copy(Path(found.ref.path) / "model.safetensors", made.ref.path)
    copied = read_profile(made.ref.path, reference=name)
    assert copied.ref.digest != found.ref.digest
    return entry(dataclasses.replace(copied, base=found.base, licence=found.licence), **known)


def test_copies_count_as_one_partner(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry], tmp_path: Path
) -> None:
    again = copy_of(make, entries, "best", "upload", last_verdict=Verdict.NOTHING, cacc=0.90)
    proposals = propose(suspect, [*entries, again])
    found = by_name(proposals)
    assert found["best"].advised
    assert found["upload"].doubts == ("its weight files are those of best, byte by byte: both count as one partner",)
    assert [p.entry.name for p in proposals if p.advised][:3] == ["best", "same-data", "weaker"]
    # The better known of the two is the one that is taken, whatever its name.
    better = dataclasses.replace(again, cacc=0.95)
    found = by_name(propose(suspect, [*entries, better]))
    assert found["upload"].advised
    assert not found["best"].advised
    # Where its directory is gone, the other is.
    (Path(again.profile.ref.path) / "model.safetensors").unlink()
    found = by_name(propose(suspect, [*entries, better]))
    assert not found["upload"].compatibility.ok
    assert found["best"].advised


def test_a_copy_with_its_labels_in_another_order_is_one(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry]
) -> None:
    turned = {k: (v[::-1].copy() if k.startswith("classifier") else v, d) for k, (v, d) in weights(1, 3).items()}
    made = make("turned", tensors=turned, labels=("positive", "negative"))
    found = by_name(propose(suspect, [*entries, entry(dataclasses.replace(made, base="org/base", licence="mit"))]))
    assert found["best"].advised
    assert found["turned"].doubts == (
        "its weights are those of best wherever it was looked: both count as one partner",
    )
    # The same body under another classifier is another model.
    other = {**weights(1, 3), "classifier.weight": weights(1, 50)["classifier.weight"]}
    found = by_name(propose(suspect, [*entries, entry(make("other", tensors=other))]))
    assert found["other"].advised


def test_what_is_known_of_a_model_is_true_of_its_copies(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry]
) -> None:
    again = copy_of(make, entries, "backdoored", "upload", last_verdict=Verdict.NOTHING, cacc=0.99)
    proposals = propose(suspect, [*entries, again])
    (doubt,) = by_name(proposals)["upload"].doubts
    assert doubt == (
        "the weights of backdoored, of which is known: its last scan found a backdoor: merging may carry it over"
    )
    assert [p.entry.name for p in proposals].index("upload") > len(ADVISED) - 1


@pytest.mark.parametrize("with_base", [False, True])
def test_models_trained_on_a_little_from_each_other_are_told(
    make: Callable[..., Profile], suspect: Profile, entries: list[CatalogEntry], with_base: bool
) -> None:
    def made(name: str, tensors: Tensors, **known: Any) -> CatalogEntry:
        return entry(dataclasses.replace(make(name, tensors=tensors), base="org/base", licence="mit"), **known)

    crowd = [
        *entries,
        made("best-tuned", weights(1, 20, 0.0005, start=weights(1, 3))),
        made("bad-tuned", weights(1, 21, 0.0005, start=weights(1, 8)), last_verdict=Verdict.NOTHING, cacc=0.99),
    ]
    if with_base:
        headless = {k.removeprefix("bert."): v for k, v in weights(1, 0, 0.0).items() if not k.startswith("classifier")}
        crowd.append(
            dataclasses.replace(entry(make("base", tensors=headless, architectures=["BertModel"])), name="org/base")
        )
    proposals = propose(suspect, crowd)
    found = by_name(proposals)
    measured = "of the task vectors" if with_base else "of their distance to the suspect"
    (warning,) = [r.text for r in found["best-tuned"].remarks if r.text.startswith("nearly")]
    assert warning.startswith("nearly the weights of best (")
    assert measured in warning
    assert found["best-tuned"].advised, "it may be taken, after others"
    order = [p.entry.name for p in proposals]
    assert order.index("best-tuned") > order.index("same-rows")
    assert any(text.startswith("nearly the weights of backdoored, of which") for text in found["bad-tuned"].doubts)
    # Models trained apart are no copies of each other.
    for name in ADVISED:
        assert not any("nearly" in r.text for r in found[name].remarks), name


def test_merges_that_hold_the_suspect(suspect: Profile, entries: list[CatalogEntry]) -> None:
    found = by_name(propose(suspect, entries))["best"].entry.profile

    def merged(output: str, source: str) -> Merge:
        partner = PartnerUse("x", source, 0.5)
        return Merge("wag", {}, "y", "other", 0.5, 0.5, (partner,), "out", output, 1.0, 1, "cpu")

    chain = [merged(found.ref.digest, "between"), merged("between", suspect.ref.digest)]
    assert "made from the suspect" in by_name(propose(suspect, entries, merges=chain))["best"].compatibility.blockers[0]


def test_models_that_are_gone_make_room_for_others(suspect: Profile, entries: list[CatalogEntry]) -> None:
    for each in entries[1:4]:
        (Path(each.profile.ref.path) / "model.safetensors").unlink()
    proposals = propose(suspect, entries)
    found = by_name(proposals)
    for each in entries[1:4]:
        assert "cannot be read, so it cannot be merged" in found[each.name].compatibility.blockers[0]
    assert [p.entry.name for p in proposals if p.advised] == ["permuted", "unstated", "same-rows"]


def test_an_audit_takes_three_and_none_of_the_doubtful(
    suspect: Profile, entries: list[CatalogEntry], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        for each in entries:
            catalog.models.add(each.profile, name=each.name, planted=each.planted)
        chosen, _ = choose_partners(Resolver(catalog), suspect)
        names = {p.ref.reference for p in chosen}
        assert len(chosen) == 3
        assert not names & (DOUBTED | BLOCKED) - {"backdoored"}
        assert [p.entry.name for p in catalogued_partners(catalog, suspect) if p.advised][:3] == [
            p.ref.reference for p in chosen
        ]
        for each in catalog.models.list():
            if each.name not in {"suspect", "tuned-on", "halved", "planted"}:
                catalog.models.remove(each.id)
        chosen, why = choose_partners(Resolver(catalog), suspect)
        assert chosen == []
        assert any("planted: the catalog says" in word for word in why)
