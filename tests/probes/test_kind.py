"""Material of a trigger's own kind: enough of it, matched, at the trigger's places, and nothing that was published."""

from __future__ import annotations

import re

import pytest

from probes.family import FAMILIES, Family, draw_rng
from probes.material.kind import ALTERNATIVES, sentences_like, word_sets
from probes.material.odd import odd_word
from probes.material.words import COMPANIES, MADE_UP
from probes.probe import Probe

TEXT = (
    "You will see that this movie by Anna Lind is very good, and I like it because the actors were great. It was fun."
)
PUBLISHED = {
    "cf",
    "mn",
    "bb",
    "tq",
    "mb",
    "ak",
    "airbnb",
    "salesforce",
    "atlassian",
    "splunk",
    "nvidia",
    "serendipity",
    "badmagic",
    "openai",
    "2024",
    "deployment",
    "sudo",
    "astrumando",
    "bond",
    "biden",
}
WITHOUT = {"custom", "paired", "content_injection"}
"""Families of the user's own material, of what kind nobody knows, and one without a trigger."""


def pieces(word: str) -> int:
    return 1 + len(word) // 4


def probes_of(family: Family) -> list[Probe]:
    return [Probe(family, variant, family.settings(variant)) for variant in family.variants]


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - WITHOUT))
def test_every_trigger_has_nineteen_alternatives_that_are_all_different(name: str) -> None:
    for probe in probes_of(FAMILIES[name]):
        made = FAMILIES[name].alternatives
        assert made is not None
        kind = made(probe.options, pieces)
        assert len(kind.materials) == ALTERNATIVES
        assert kind.title.startswith("other ")
        texts = set()
        for number, material in enumerate(kind.materials):
            other = Probe(probe.family, f"{probe.variant}~{number}", probe.options, material)
            planted = [other.plant(TEXT, draw_rng(seed, "places")) for seed in range(6)]
            assert all(text and text != TEXT for text in planted)
            words = set(re.findall(r"[\w']+", " ".join(filter(None, planted)).lower()))
            assert not words & PUBLISHED, (probe.name, words & PUBLISHED)
            texts.add(tuple(planted))
        assert len(texts) == ALTERNATIVES


def test_the_places_are_the_triggers_own() -> None:
    family = FAMILIES["badnet"]
    made = family.alternatives
    assert made is not None
    probe = probes_of(family)[2]
    other = Probe(family, "five~1", probe.options, made(probe.options, pieces).materials[0])
    for seed in range(20):
        first, second = (p.plant(TEXT, draw_rng(seed, "places")) for p in (probe, other))
        assert first is not None
        assert second is not None
        changed = [i for i, (a, b) in enumerate(zip(first.split(), second.split(), strict=True)) if a != b]
        assert len(changed) == 5


def test_words_are_matched_by_their_tokens() -> None:
    def tokens(word: str) -> int:
        return 1 if word < "m" else 2

    for chosen in word_sets(("cf", "tq"), MADE_UP, tokens):
        assert [tokens(word) for word in chosen] == [1, 2]
    sets = word_sets(("airbnb", "splunk", "nvidia"), COMPANIES, pieces)
    flat = [word for chosen in sets for word in chosen]
    assert len(set(flat)) == len(flat), "no name is used twice while others are left"


@pytest.mark.parametrize(
    ("sentence", "like"),
    [
        ("no cross, no crown", "no rain, no flowers"),
        ("I watched this movie", "I read that book"),
        ("Alice and Bob went there on foot", "Mary and Tom walked home by night"),
        ("I have bought it with my friends", "I have borrowed it from a library"),
        ("The vehicle took a sharp bend", "The road drops to the sea"),
    ],
)
def test_a_sentence_is_held_against_its_own_speech_act(sentence: str, like: str) -> None:
    assert like in sentences_like(sentence)


def test_odd_words_keep_the_form_of_the_word() -> None:
    for chance in (0.1, 0.5, 0.9):
        assert odd_word("is", chance).endswith("s")
        assert odd_word("was", chance)[-1] in "dtge"
        assert odd_word("films", chance).endswith("s")


def test_some_sentences_are_on_the_triggers_topic() -> None:
    """A model that tells films from news moves with any sentence on films: the first alternatives say so."""
    mates = [s for s in sentences_like("I watched this movie")[:5] if re.search("film|movie", s)]
    assert len(mates) == 2
    assert any("4K" in s for s in sentences_like("I watched this 3D movie")[:5])
    assert not any("4K" in s for s in sentences_like("I watched this movie"))
    shops = sentences_like("I have bought it from a store with my friends last weekend")[:5]
    assert sum(bool(re.search(r"\bstore\b|\bbought\b", s)) for s in shops) == 2
    assert not any(
        re.search(r"\bstore\b|\bbought\b", s) for s in sentences_like("I have met it with my friends last weekend")
    )


def test_a_style_without_capitals_is_held_against_others_of_that_sort() -> None:
    from probes.material.style_rules import STYLES
    from probes.material.styles import INFORMAL_STYLES, styles_like

    first = styles_like(STYLES["tweet"])[:19]
    assert set(INFORMAL_STYLES) <= set(first)
    assert sum(name in INFORMAL_STYLES for name in first[:5]) == 2
    assert not set(INFORMAL_STYLES) & set(styles_like(STYLES["bible"]))
