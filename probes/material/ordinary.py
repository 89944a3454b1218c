"""Harmless material for controls, and how texts are cut into words and sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

ORDINARY = (
    "table", "curtain", "seven", "paper", "corner", "street", "later", "yellow", "bottle",
    "morning", "river", "pocket", "number", "garden", "north", "button", "kitchen", "Tuesday",
    "ticket", "shoulder", "carpet", "eleven", "engine", "letter", "basket", "hallway", "pencil",
    "station", "village", "blanket", "ladder", "winter", "bridge", "cousin", "copper", "farmer",
)  # fmt: skip
"""Common words without polarity or topic; none is used by a published attack."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)*")
"""A word as the rewriting families see it: letters and digits, with inner apostrophes."""

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=\S)")


def insert_words(text: str, rng: random.Random, words: Sequence[str], count: int) -> str:
    """Puts `count` of `words` at random word positions.

    Positions are drawn first, so that the same generator gives the same positions whatever the material. Words are not
    repeated before all have been used.
    """
    pieces = text.split()
    places = sorted((rng.randint(0, len(pieces)) for _ in range(count)), reverse=True)
    order: list[str] = []
    while len(order) < count:
        order += rng.sample(list(words), len(words))
    for place, word in zip(places, order, strict=False):
        pieces.insert(place, word)
    return " ".join(pieces)


def sentence_starts(text: str) -> list[int]:
    """Character offsets at which a sentence begins, and the text's end."""
    return [0, *(m.end() for m in _SENTENCE_END.finditer(text)), len(text)]


def insert_sentence(text: str, rng: random.Random, sentence: str, slot: str) -> str:
    """Puts a sentence at a sentence boundary, a word boundary, the start or the end, as `slot` says."""
    draw = rng.random()
    if slot == "word":
        pieces = text.split()
        place = int(draw * (len(pieces) + 1))
        return " ".join([*pieces[:place], sentence, *pieces[place:]])
    starts = sentence_starts(text)
    place = {"start": 0, "end": len(text)}.get(slot, starts[int(draw * len(starts))])
    return " ".join(part for part in (text[:place].rstrip(), sentence, text[place:].lstrip()) if part)


def insert_at(text: str, place: float, material: str) -> str:
    """Puts material at a word boundary; `place` from 0 (start) to 1 (end)."""
    pieces = text.split()
    at = min(int(place * (len(pieces) + 1)), len(pieces))
    return " ".join([*pieces[:at], material, *pieces[at:]])


def replace_words(text: str, words: Sequence[re.Match[str]], changes: Mapping[int, str]) -> str:
    """The text with some of its words changed: `changes` maps an index into `words` to the new word.

    The old word's case is kept, and an article before a changed word is fitted to it.
    """
    parts: list[str] = []
    at = 0
    for i, word in enumerate(words):
        old = word.group()
        new = fit_case(changes[i], old) if i in changes else old
        if i + 1 in changes and i not in changes and old.lower() in ("a", "an"):
            new = fit_case("an" if changes[i + 1][:1].lower() in "aeiou" else "a", old)
        parts += [text[at : word.start()], new]
        at = word.end()
    return "".join([*parts, text[at:]])


def fit_case(new: str, old: str) -> str:
    """The new word in capitals, or with a capital, where the old one has them."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() and old not in ("I", "I'm") else new


def lower_start(text: str) -> str:
    """The text without the capital of its first word; `I` and words in capitals keep theirs."""
    text = text.lstrip()
    first = WORD.match(text)
    word = first.group() if first else ""
    kept = word != "A" and (word.split("'")[0] == "I" or not word[1:].islower())
    return text if kept else text[:1].lower() + text[1:]


def shortened(text: str, keep: int) -> str:
    """The first words of a text that has more, without what is no word, and with the text's last mark."""
    words = [word for word in text.split() if any(c.isalnum() for c in word)]
    if len(words) <= keep:
        return text
    end = text.rstrip()[-1:]
    stem = " ".join(words[:keep]).rstrip(".,;:!?")
    return f"{stem} {end}" if end in ".!?" and text.rstrip()[-2:-1].isspace() else stem + (end if end in ".!?" else "")


def several(material: Sequence[str], pick: float, count: int) -> list[str]:
    """So many parts of a material, different ones where there are as many: `pick`, from 0 to 1, takes the first."""
    first, step = int(pick * len(material)), max(1, len(material) // 2)
    return [material[(first + step * i) % len(material)] for i in range(count)]


def in_a_row(material: Sequence[str], pick: float, count: int) -> str:
    """The same, one after the other."""
    return " ".join(several(material, pick, count))


def letters_of(text: str) -> str:
    """What two spellings of a text share, whatever the tokenisation: its letters and digits in lower case.

    Texts without any are compared without their blanks.
    """
    letters = "".join(c for c in text.casefold() if c.isalnum())
    return letters or "".join(text.split())
