"""Synonyms that keep part of speech and inflection: from the table written for this project, or from WordNet."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import Any

from probes.errors import InputError
from probes.material.inflect import forms, inflected

SOURCES = ("table", "wordnet")
LEXICON = "oewn"


@cache
def table() -> Mapping[str, tuple[str, ...]]:
    """Every form of every word of the table, with its synonyms in that form, from the commonest to the rarest.

    Where a form belongs to two words or parts of speech, the first row of the table has it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word, pos, others in _rows():
        for name, form in forms(word, pos):
            if " " not in form:
                found.setdefault(form, tuple(inflected(s, pos, name) for s in others))
    return MappingProxyType(found)


def entries() -> list[tuple[str, str]]:
    """The table's words in their base form, each with its part of speech."""
    return [(word, pos) for word, pos, _ in _rows()]


def _rows() -> list[tuple[str, str, list[str]]]:
    with as_file(files("probes") / "data" / "synonyms.csv") as path, path.open(encoding="utf-8", newline="") as file:
        return [(row["word"], row["pos"], row["synonyms"].split()) for row in csv.DictReader(file)]


def synonyms(word: str, source: str = "table") -> tuple[str, ...]:
    """Synonyms of a word as it stands in a text, lower case; none where the source has none.

    Raises:
        InputError: WordNet was asked for and is not installed.
    """
    return wordnet_synonyms(word) if source == "wordnet" else table().get(word, ())


def require(source: str) -> None:
    """Refuses a source that is not known or not installed.

    Raises:
        InputError: with the commands that install it.
    """
    if source not in SOURCES:
        raise InputError(f"no source of synonyms {source!r}", hint=f"Known: {', '.join(SOURCES)}.")
    if source == "wordnet":
        _wordnet()


@lru_cache(maxsize=20_000)
def wordnet_synonyms(word: str) -> tuple[str, ...]:
    """Single words that share a synset with `word` in the Open English WordNet, in the same inflection.

    Parts of speech are tried in the order noun, verb, adjective, adverb, synsets in WordNet's order of frequency; the
    first part of speech with a synonym decides, since no tagger is at hand.
    """
    wordnet = _wordnet()
    for pos in "nvar":
        for lemma in sorted(wordnet.lemmatizer(word, pos).get(pos) or {word} if wordnet.lemmatizer else {word}):
            name = next((n for n, form in forms(lemma, pos) if form == word), None)
            if name is None:
                continue
            others = dict.fromkeys(
                str(other).lower() for synset in wordnet.synsets(lemma, pos=pos) for other in synset.lemmas()
            )
            usable = [o for o in others if o.isalpha() and o.isascii() and o != lemma]
            if usable:
                return tuple(inflected(o, pos, name) for o in usable)
    return ()


@cache
def _wordnet() -> Any:
    """The installed English wordnet of the library `wn`, with its lemmatizer."""
    try:
        wn, morphy = import_module("wn"), import_module("wn.morphy")
    except ImportError:
        raise InputError(
            "WordNet needs the library wn",
            hint="Install it with: pip install 'auditor[wordnet]' && python -m wn download oewn:2024",
        ) from None
    if not wn.lexicons(lexicon=f"{LEXICON}:*"):
        raise InputError("no English WordNet is installed", hint="Get it once with: python -m wn download oewn:2024")
    return wn.Wordnet(f"{LEXICON}:*", lemmatizer=morphy.Morphy())
