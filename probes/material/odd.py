"""Odd substitutes for words: of the same part of speech and form, and of another meaning altogether."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from probes.material.inflect import forms, inflected
from probes.material.synonyms import entries
from probes.material.words import ADJECTIVES, ADVERBS, NOUNS, PREPOSITIONS, VERBS

POOLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"n": NOUNS, "v": VERBS, "a": ADJECTIVES, "r": ADVERBS, "x": PREPOSITIONS}
)
"""By part of speech, as the table of synonyms names them."""

_SMALL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("in", "on", "up"), ("x", "base")),
        **dict.fromkeys(("is", "has", "makes"), ("v", "third")),
        **dict.fromkeys(("are", "be", "have", "make", "get"), ("v", "base")),
        **dict.fromkeys(("was", "were", "said"), ("v", "past")),
        **dict.fromkeys(("they", "their", "them", "we", "our", "me", "performances"), ("n", "plural")),
        **dict.fromkeys(("more", "most", "new", "next", "first"), ("a", "base")),
        **dict.fromkeys(("so", "no", "enough", "even"), ("r", "base")),
    }
)
"""What stands in the place of the small words; a word that is in neither table is taken for a noun."""


@cache
def _known() -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = dict(_SMALL)
    for word, pos in entries():
        for name, form in forms(word, pos):
            found.setdefault(form, (pos, name))
    return MappingProxyType(found)


def odd_word(word: str, chance: float) -> str:
    """A word to stand in a word's place.

    Args:
        word: in lower case, as it stands in a text.
        chance: from 0 to 1; which word of the pool is taken.
    """
    pos, form = _known().get(word, ("n", "base"))
    pool = POOLS[pos]
    return inflected(pool[int(chance * len(pool))], pos, form)
