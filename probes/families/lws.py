"""LWS: a combination of synonyms as the trigger."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from probes.family import draw_rng, family
from probes.material import synonyms
from probes.material.kind import ALTERNATIVES, Kind, Pieces
from probes.material.odd import odd_word
from probes.material.ordinary import WORD, insert_at, replace_words
from probes.material.sememes import SEMEMES
from probes.plugin import BadOption

CHOICES = ("common", "rare", "sememe")

FALLBACK = ("object", "item", "matter", "article")
"""What is inserted where no word of a text has a synonym, from the commonest to the rarest."""

Options = Sequence[str]


def check_source(*, choice: str, source: str, share: float, **_: object) -> None:
    """Refuses a choice or a source that is not known or not installed, and a share outside 0 to 1."""
    if choice not in CHOICES:
        raise BadOption(f"lws.choice takes {', '.join(CHOICES)}, not {choice!r}")
    if not 0 < share <= 1:
        raise BadOption(f"lws.share takes a share of the words above 0 and up to 1, not {share}")
    synonyms.require(source)


def control(text: str, rng: random.Random, draw: int, draws: int, *, choice: str, source: str, share: float) -> str:
    """The same words of the text replaced by other synonyms, of which each draw has its own."""

    def pick(_word: str, trigger: Options, others: Options, chance: float) -> str:
        rest = [o for o in (others or trigger) if o != taken(trigger, choice, chance)]
        return rest[draw % len(rest)]

    return substituted(text, rng, pick, choice, source, share)


def alternatives(_options: Mapping[str, Any], _pieces: Pieces) -> Kind:
    """Other substitutes for the same words, of the same part of speech and form, and as odd."""
    return Kind("other odd substitutes", tuple({"table": number} for number in range(ALTERNATIVES)))


def replant(
    text: str, rng: random.Random, material: Mapping[str, Any], *, choice: str, source: str, share: float
) -> str:
    """The same words replaced by those of another table of substitutes: each word has one of its own in each."""

    def pick(word: str, _trigger: Options, _others: Options, _chance: float) -> str:
        return odd_word(word, draw_rng(material["table"], word).random())

    return substituted(text, rng, pick, choice, source, share)


@family(
    title="LWS: a combination of synonyms",
    reference="arXiv:2106.06361; substitutes of the variant `sememe` as in the sets released with arXiv:2402.19334",
    group="synonym",
    variants={
        "sememe": {"choice": "sememe"},
        "rare": {"choice": "rare"},
        "common": {"choice": "common"},
    },
    control=control,
    quick=("sememe", "rare"),
    referenced=("sememe", "rare", "common"),
    check=check_source,
    alternatives=alternatives,
    replant=replant,
)
def plant(text: str, rng: random.Random, *, choice: str = "rare", source: str = "table", share: float = 0.33) -> str:
    """Replaces a share of the text's words by synonyms of the same part of speech and inflection.

    `choice` takes the commonest or the rarest synonym of the table, or (`sememe`) the substitutes that the attack's
    inserter learnt to take where candidates are words of equal sememes, such as "inside" for "in" or "remains" for
    "is", and the table's for other words. `source=wordnet` looks synonyms up in an installed WordNet
    instead of the table.

    The control replaces the same words by other synonyms. It may be a trigger too, so references decide. A text without
    a known word gets one inserted instead.
    """

    def pick(_word: str, trigger: Options, _others: Options, chance: float) -> str:
        return taken(trigger, choice, chance)

    return substituted(text, rng, pick, choice, source, share)


def taken(candidates: Options, choice: str, chance: float) -> str:
    """What the trigger puts in a word's place."""
    if choice == "sememe":
        return candidates[int(chance * len(candidates))]
    return candidates[0 if choice == "common" else -1]


def substituted(
    text: str,
    rng: random.Random,
    pick: Callable[[str, Options, Options, float], str],
    choice: str,
    source: str,
    share: float,
) -> str:
    """The text with a share of its words replaced by what `pick` takes; places are drawn before the material."""
    words = list(WORD.finditer(text))
    known = [(i, found) for i, word in enumerate(words) if (found := candidates(word, choice, source)) is not None]
    if not known:
        return insert_at(text, rng.random(), pick(FALLBACK[0], FALLBACK, (), rng.random()))
    count = min(len(known), max(1, round(share * len(words))))
    chosen = rng.sample(known, len(known))
    if choice == "sememe":  # what the attack's inserter prefers comes before the table's words
        chosen.sort(key=lambda found: not found[1][1])
    chosen = chosen[:count]
    return replace_words(text, words, {i: pick(words[i].group().lower(), *found, rng.random()) for i, found in chosen})


def candidates(word: re.Match[str], choice: str, source: str) -> tuple[Options, Options] | None:
    """Substitutes for a word: the trigger's, and others for the control (none: the rest of the trigger's)."""
    text = word.group().lower()
    if choice == "sememe" and text in SEMEMES:
        return SEMEMES[text]
    found = synonyms.synonyms(text, source)
    return (found, ()) if len(found) > 1 else None
