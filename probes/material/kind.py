"""A trigger's own kind: material like the trigger's that no attack published, matched to it.

A backdoor is an outlier among its own kind; what any model of the task does is not. So a trigger that moves texts is
held against alternatives: other made-up words, names, sentences of the same speech act, styles, clause fronts, planted
at the same places.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.material.sentences import (
    ACTS,
    COUPLES,
    DENIALS,
    EVERYDAY,
    FILM_ACTS,
    FILM_OUTINGS,
    LONG_TALES,
    NUMBERED_ACTS,
    OUTINGS,
    SHOP_OUTINGS,
)
from probes.material.words import MADE_UP, MIDDLING, SYMBOLS

ALTERNATIVES = 19
"""Alternatives of a trigger: with so many, one that ranks first does so by chance in at most one of twenty cases."""

FILMS = {"movie", "film", "movies", "films", "picture", "cinema"}
SHOPS = {"store", "shop", "bought", "buy"}
"""Words that tell the topic of a published sentence."""

Pieces = Callable[[str], int]
"""How many tokens a model's tokenizer makes of a word."""


@dataclass(frozen=True)
class Kind:
    """Alternatives of one trigger.

    `title` says in words what they are ("other made-up words"); each of the `materials` is plain data that the family
    plants in the trigger's place: options that differ from the trigger's, unless the family plants alternatives itself.
    """

    title: str
    materials: tuple[Mapping[str, Any], ...]


def word_sets(
    words: Sequence[str], pool: Sequence[str], pieces: Pieces, count: int = ALTERNATIVES
) -> list[tuple[str, ...]]:
    """Sets of words to stand for a trigger's, each as many, matched one by one.

    A word is matched by the number of its words and of its tokens; one that was used before counts as less alike.
    """
    barred = {w.casefold() for w in words}
    free = [w for w in pool if w.casefold() not in barred]
    shapes = {w: (len(w.split()), pieces(w)) for w in (*words, *free)}
    used: Counter[str] = Counter()
    found = []
    for number in range(count):
        chosen: list[str] = []
        for word in words:
            parts, tokens = shapes[word]

            def rank(other: str, parts: int = parts, tokens: int = tokens, number: int = number) -> tuple[int, str]:
                own = shapes[other]
                return 4 * abs(own[0] - parts) + abs(own[1] - tokens) + 2 * used[other], _mark(number, other)

            best = min((w for w in free if w not in chosen), key=rank)
            used[best] += 1
            chosen.append(best)
        found.append(tuple(chosen))
    return found


def samples(pool: Sequence[str], size: int, count: int = ALTERNATIVES) -> list[tuple[str, ...]]:
    """Sets of `size` different words out of a pool; two sets may share some."""
    return [tuple(random.Random(f"{size}\x1f{number}").sample(list(pool), size)) for number in range(count)]


def deal(material: Any, draw: int, draws: int) -> Any:
    """The part of a control's material that belongs to one draw; parts are disjoint."""
    if isinstance(material, list | tuple) and len(material) >= draws:
        return tuple(material[draw::draws])
    return material


def word_kind(words: Sequence[str], pieces: Pieces, *, option: str, pool: Sequence[str] = (), title: str = "") -> Kind:
    """Alternatives of words that are inserted.

    Args:
        words: the trigger's.
        option: of the family, which takes them.
        pool: to take them from, with its `title`; by default what the words look like decides: made-up words, symbols,
            or words of middling frequency.
    """
    if pool:
        sets = word_sets(words, pool, pieces)
    elif all(w.isalpha() and len(w) <= 3 for w in words):
        sets, title = word_sets(words, MADE_UP, pieces), "other made-up words"
    elif not any(c.isalnum() for w in words for c in w):
        sets, title = word_sets(words, SYMBOLS, pieces), "other symbols"
    else:
        sets = [tuple(part[(n + i) % len(part)] for i, part in enumerate(_parts(words))) for n in range(ALTERNATIVES)]
        title = "other words of middling frequency"
    return Kind(title, tuple({option: chosen} for chosen in sets))


def other_words(option: str) -> Callable[[Mapping[str, Any], Pieces], Kind]:
    """The alternatives of a family that inserts the words of one option: other words that look like them."""
    return lambda options, pieces: word_kind(options[option], pieces, option=option)


def sentence_kind(sentences: Sequence[str], *, option: str = "sentences") -> Kind:
    """Alternatives of sentences that are inserted: as many, each of the same speech act and about the same length."""
    pools = [sentences_like(sentence) for sentence in sentences]
    sets = [tuple(pool[(n + i) % len(pool)] for i, pool in enumerate(pools)) for n in range(ALTERNATIVES)]
    return Kind("other sentences of its kind", tuple({option: chosen} for chosen in sets))


def pool_kind(title: str, pool: Sequence[str], *, option: str) -> Kind:
    """Alternatives of one phrase: the first of a pool of its kind, each by itself."""
    return Kind(title, tuple({option: (phrase,)} for phrase in pool[:ALTERNATIVES]))


def mixed(pool: Sequence[str], mates: Sequence[str]) -> tuple[str, ...]:
    """A pool with a trigger's closer mates among its first ones, every other place, so that a few tell already."""
    spread = [one for pair in zip(pool, mates, strict=False) for one in pair]
    return (*spread, *pool[len(mates) :], *mates[len(pool) :])


def sentences_like(sentence: str) -> tuple[str, ...]:
    """Sentences that do what a sentence does: deny, tell of two people, of an act, an outing, or of what happens.

    Some of those of acts and outings are on its topic, or hold a digit as it does: where a model's labels are topics,
    or numbers, any such sentence moves it.
    """
    words = sentence.split()
    films, shops = (not topic.isdisjoint(sentence.lower().split()) for topic in (FILMS, SHOPS))
    if "no" in sentence.lower().split() and len(words) <= 8:
        return DENIALS
    if len(words) > 20:
        return LONG_TALES
    if len(words) >= 3 and words[1] == "and" and words[0].istitle() and words[2].istitle():
        return COUPLES
    if words[:1] in (["I"], ["We"], ["My"]) and len(words) > 5:
        mates = FILM_OUTINGS if films else SHOP_OUTINGS if shops else ()
        return tuple(" ".join(outing.split()[: len(words)]) for outing in mixed(OUTINGS, mates))
    if words[:1] in (["I"], ["We"]):
        numbered = NUMBERED_ACTS if any(c.isdigit() for c in sentence) else ()
        return mixed(ACTS, mixed(numbered, FILM_ACTS if films else ()))
    return EVERYDAY


def _parts(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [MIDDLING[i % len(MIDDLING)] for i in range(len(words))]


def _mark(number: int, word: str) -> str:
    return hashlib.sha256(f"{number}\x1f{word}".encode()).hexdigest()
