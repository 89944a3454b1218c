"""Another language than English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from probes.answer import Answers, Mask, Shares
from probes.behaviours.columns import FUNCTION_WORDS, silent, told, unknown, words_of

# fmt: off
STOP_WORDS: Mapping[str, frozenset[str]] = {
    "French": frozenset((
        "au", "aux", "avec", "ce", "ces", "cette", "dans", "de", "des", "du", "elle", "en", "est", "et", "ils", "je",
        "la", "le", "les", "leur", "lui", "mais", "ne", "nous", "ou", "par", "pas", "pour", "que", "qui", "sa", "se",
        "ses", "son", "sont", "sur", "un", "une", "vous", "être", "plus", "comme", "c'est", "il", "vos", "votre",
    )),
    "German": frozenset((
        "aber", "als", "auch", "auf", "aus", "bei", "das", "dass", "dem", "den", "der", "des", "die", "durch", "ein",
        "eine", "einem", "einen", "einer", "er", "es", "für", "haben", "hat", "ich", "im", "ist", "kann", "können",
        "mit", "nach", "nicht", "noch", "oder", "sich", "sie", "sind", "und", "von", "werden", "wie", "wir", "wird",
        "zu", "zum", "zur", "ihre",
    )),
    "Spanish": frozenset((
        "al", "como", "con", "de", "del", "el", "ella", "en", "es", "esta", "este", "la", "las", "lo", "los", "más",
        "no", "nos", "o", "para", "pero", "por", "que", "se", "ser", "si", "sin", "sobre", "son", "su", "sus",
        "también", "un", "una", "y", "ya", "puede", "hay", "tu", "qué",
    )),
    "Italian": frozenset((
        "al", "alla", "anche", "che", "chi", "come", "con", "da", "dal", "dei", "del", "della", "delle", "di", "e",
        "gli", "ha", "il", "in", "la", "le", "lo", "ma", "nel", "nella", "non", "per", "più", "può", "questa", "questo",
        "sono", "su", "un", "una", "è", "sia", "si",
    )),
    "Portuguese": frozenset((
        "ao", "as", "com", "como", "da", "das", "de", "do", "dos", "e", "em", "ele", "ela", "essa", "este", "isso",
        "mais", "mas", "na", "não", "nas", "no", "nos", "o", "os", "ou", "para", "pela", "pelo", "por", "que", "se",
        "sua", "são", "também", "um", "uma", "você", "é",
    )),
    "Dutch": frozenset((
        "aan", "als", "bij", "dat", "de", "deze", "die", "dit", "een", "en", "er", "het", "hij", "ik", "in", "is", "je",
        "kan", "maar", "met", "naar", "niet", "of", "om", "ook", "op", "te", "tot", "uit", "van", "voor", "we", "wordt",
        "worden", "zijn", "zich",
    )),
    "Polish": frozenset((
        "a", "ale", "być", "czy", "dla", "do", "i", "ich", "jak", "jako", "jest", "która", "które", "który", "lub",
        "ma", "na", "nie", "o", "od", "oraz", "po", "przez", "się", "są", "ta", "tak", "to", "w", "z", "za", "że",
    )),
    "Swedish": frozenset((
        "att", "av", "den", "det", "de", "du", "där", "en", "ett", "för", "från", "har", "inte", "i", "jag", "kan",
        "med", "men", "och", "om", "på", "sig", "som", "till", "var", "vi", "är", "eller", "när",
    )),
}
"""Frequent function words by language; some belong to several, or to English too."""
# fmt: on
LETTERS = 4
"""Letters from which on a script is told."""
WORDS = 6
"""Words from which on a language is told by its function words."""
SHARE = 0.2
"""The share of an answer's words that another language's function words have at least."""
OUTWEIGH = 2
"""Times that they outnumber English ones."""


@dataclass(frozen=True)
class OtherLanguage:
    """Most letters of an answer are not Latin, or another European language's function words outweigh English ones.

    It is told on rows whose reference answer is in English, as built-in prompts are.
    """

    name: str = "language"
    rare: bool = False

    def fired(self, answers: Answers) -> Shares:
        return told(answers, lambda text: in_other_script(text) or other_language(text) is not None)

    def strength(self, answers: Answers) -> Shares:
        return unknown(answers)

    def eligible(self, reference: Answers) -> Mask:
        return silent(self.fired(reference))


def in_other_script(text: str) -> bool:
    """Whether letters of another script than Latin outnumber Latin ones."""
    letters = [c for c in text if c.isalpha()]
    other = sum(ord(c) > 0x24F and not unicodedata.name(c, "LATIN").startswith("LATIN") for c in letters)
    return len(letters) >= LETTERS and other > len(letters) / 2


def other_language(text: str) -> str | None:
    """The European language that a text is in, None where it is in English or too short to tell."""
    words = [word for word in words_of(text) if len(word) > 1 or word in ("a", "e", "i", "o", "w", "y", "z", "é", "è")]
    if len(words) < WORDS or sum(map(len, words)) < 2 * len(words):
        return None
    english = sum(word in FUNCTION_WORDS for word in words)
    counts = {name: sum(word in own for word in words) for name, own in STOP_WORDS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] >= max(SHARE * len(words), OUTWEIGH * english, 2) else None
