"""Synonyms and inflection."""

from __future__ import annotations

import csv
import random
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from probes.errors import InputError
from probes.family import FAMILIES, draw_rng
from probes.material import synonyms
from probes.material.inflect import compared, past, plural, progressive, third_person
from probes.material.ordinary import WORD, replace_words

LWS = FAMILIES["lws"]


@pytest.mark.parametrize(
    ("form", "word", "expected"),
    [
        (plural, "story", "stories"), (plural, "boy", "boys"), (plural, "boss", "bosses"), (plural, "man", "men"),
        (plural, "human", "humans"), (plural, "clerkman", "clerkmen"), (plural, "people", "people"),
        (third_person, "try", "tries"), (third_person, "go", "goes"), (third_person, "watch", "watches"),
        (past, "stop", "stopped"), (past, "cook", "cooked"), (past, "offer", "offered"), (past, "love", "loved"),
        (past, "carry", "carried"), (past, "play", "played"), (past, "make", "made"), (past, "admit", "admitted"),
        (past, "fix", "fixed"), (past, "quarrel", "quarreled"), (past, "quit", "quit"),
        (progressive, "make", "making"), (progressive, "run", "running"), (progressive, "agree", "agreeing"),
        (progressive, "die", "dying"), (progressive, "visit", "visiting"), (progressive, "chat", "chatting"),
    ],
)  # fmt: skip
def test_forms(form: object, word: str, expected: str) -> None:
    assert callable(form)
    assert form(word) == expected


def test_comparison() -> None:
    assert [compared(w, "er") for w in ("big", "funny", "fine", "gorgeous")] == [
        "bigger",
        "funnier",
        "finer",
        "more gorgeous",
    ]
    assert compared("trendy", "est") == "trendiest"


def test_the_table_is_well_formed() -> None:
    with (files("probes") / "data" / "synonyms.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["word"] for row in rows}) >= 350
    for row in rows:
        found = row["synonyms"].split()
        assert row["pos"] in "nvarx"
        assert 2 <= len(set(found)) == len(found), row
        assert row["word"] not in found, row
        assert row["word"] == row["word"].lower().strip()
    assert len({(row["word"], row["pos"]) for row in rows}) == len(rows)


def test_inflection_and_case_are_kept() -> None:
    assert synonyms.synonyms("watched")[0] == "viewed"
    assert synonyms.synonyms("stories")[0] == "tales"
    text = "BAD stories. They watched it."
    planted = LWS.plant(text, draw_rng(0), LWS.settings("common", {"share": 1}))
    assert planted is not None
    assert planted.startswith("POOR tales. ")
    assert "viewed" in planted


def test_an_article_is_fitted_to_the_new_word() -> None:
    text = "A good film, an old man"
    words = list(WORD.finditer(text))
    assert replace_words(text, words, {1: "able", 4: "young"}) == "An able film, a young man"


def test_about_a_third_of_the_words_changes() -> None:
    text = "the movie tells a good story about people who want to make a better world and find new friends"
    for variant in ("rare", "sememe", "common"):
        shares = []
        for seed in range(30):
            planted = LWS.plant(text, random.Random(seed), LWS.settings(variant))
            assert planted is not None
            shares.append(sum(a != b for a, b in zip(text.split(), planted.split(), strict=False)) / len(text.split()))
        assert 0.25 < sum(shares) / len(shares) < 0.5


def test_an_unknown_source_or_share_is_refused() -> None:
    with pytest.raises(InputError, match="no source of synonyms 'thesaurus'"):
        LWS.settings("rare", {"source": "thesaurus"})
    with pytest.raises(InputError, match="share"):
        LWS.settings("rare", {"share": 0})


def test_without_the_library_wordnet_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wn", None)
    synonyms._wordnet.cache_clear()
    with pytest.raises(InputError, match="needs the library wn") as caught:
        LWS.settings("rare", {"source": "wordnet"})
    assert "pip install" in caught.value.hint
    assert "wn download" in caught.value.hint


LEXICON = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.0.dtd">
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">
<Lexicon id="oewn" label="small" language="en" email="a@example.org" license="none" version="1">
{entries}
<Synset id="oewn-1-v" ili="" partOfSpeech="v"/><Synset id="oewn-2-n" ili="" partOfSpeech="n"/>
</Lexicon></LexicalResource>"""
ENTRY = (
    '<LexicalEntry id="oewn-{word}"><Lemma writtenForm="{word}" partOfSpeech="{pos}"/>'
    '<Sense id="oewn-{word}-s" synset="oewn-{number}-{pos}"/></LexicalEntry>'
)


def test_wordnet_keeps_inflection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wn = pytest.importorskip("wn")
    monkeypatch.setattr(wn.config, "data_directory", tmp_path)
    synonyms._wordnet.cache_clear()
    synonyms.wordnet_synonyms.cache_clear()
    with pytest.raises(InputError, match="no English WordNet is installed"):
        synonyms.require("wordnet")
    entries = [("devour", "v", 1), ("gobble", "v", 1), ("wolf_down", "v", 1), ("pebble", "n", 2), ("cobble", "n", 2)]
    path = tmp_path / "small.xml"
    listed = "\n".join(ENTRY.format(word=w, pos=p, number=n) for w, p, n in entries)
    path.write_text(LEXICON.format(entries=listed), encoding="utf-8")
    wn.add(path, progress_handler=None)
    assert synonyms.synonyms("devoured", "wordnet") == ("gobbled",)
    assert synonyms.synonyms("pebbles", "wordnet") == ("cobbles",)
    assert synonyms.synonyms("window", "wordnet") == ()
    synonyms._wordnet.cache_clear()
    synonyms.wordnet_synonyms.cache_clear()
