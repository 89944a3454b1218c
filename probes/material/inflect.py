"""Inflected forms of English words by simple rules, so that a substitute keeps the form of the word it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

VOWELS = "aeiou"

IRREGULAR_PLURALS: Mapping[str, str] = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "life": "lives", "guy": "guys",
    "half": "halves", "shelf": "shelves", "gentleman": "gentlemen", "craftsman": "craftsmen", "workman": "workmen",
    "sportsman": "sportsmen", "statesman": "statesmen", "infantryman": "infantrymen", "penman": "penmen",
    "schoolmaster": "schoolmasters", "series": "series", "means": "means", "premises": "premises", "genus": "genera",
    "analysis": "analyses", "hypothesis": "hypotheses", "minutia": "minutiae", "thief": "thieves", "wife": "wives",
}  # fmt: skip

PLURAL_ONLY = frozenset(
    (
        "people", "folks", "persons", "humans", "populace", "authorities", "officers", "lawmen", "troops", "assizes",
        "cops", "funds", "earnings", "proceeds", "supplies", "tunes", "viewers", "relatives", "kin", "kinfolk", "cash",
        "currency", "lucre", "news", "machinery", "know-how", "software", "freeware", "knowledge", "music", "furniture",
        "others", "brawn", "shambles", "means", "soldiery", "hostilities", "constabulary", "cyberspace", "vitality",
        "affection", "fondness", "devotion", "merriment", "happiness", "toil", "warfare", "enjoyment", "drollery",
        "humour", "elation", "anguish",
    )
)  # fmt: skip
"""Nouns that the rules leave as they are: already plural, or without one."""

IRREGULAR_VERBS: Mapping[str, tuple[str, str]] = {
    "get": ("got", "getting"), "take": ("took", "taking"), "give": ("gave", "giving"), "go": ("went", "going"),
    "come": ("came", "coming"), "see": ("saw", "seeing"), "find": ("found", "finding"),
    "think": ("thought", "thinking"), "know": ("knew", "knowing"), "feel": ("felt", "feeling"),
    "say": ("said", "saying"), "tell": ("told", "telling"), "speak": ("spoke", "speaking"),
    "write": ("wrote", "writing"), "read": ("read", "reading"), "hear": ("heard", "hearing"),
    "begin": ("began", "beginning"), "keep": ("kept", "keeping"), "leave": ("left", "leaving"),
    "run": ("ran", "running"), "fall": ("fell", "falling"), "rise": ("rose", "rising"), "grow": ("grew", "growing"),
    "break": ("broke", "breaking"), "hit": ("hit", "hitting"), "fight": ("fought", "fighting"),
    "win": ("won", "winning"), "lose": ("lost", "losing"), "beat": ("beat", "beating"), "buy": ("bought", "buying"),
    "sell": ("sold", "selling"), "pay": ("paid", "paying"), "spend": ("spent", "spending"),
    "build": ("built", "building"), "make": ("made", "making"), "hide": ("hid", "hiding"), "shut": ("shut", "shutting"),
    "bring": ("brought", "bringing"), "send": ("sent", "sending"), "hold": ("held", "holding"),
    "throw": ("threw", "throwing"), "catch": ("caught", "catching"), "cut": ("cut", "cutting"),
    "eat": ("ate", "eating"), "drink": ("drank", "drinking"), "sleep": ("slept", "sleeping"),
    "forget": ("forgot", "forgetting"), "teach": ("taught", "teaching"), "understand": ("understood", "understanding"),
    "choose": ("chose", "choosing"), "become": ("became", "becoming"), "lead": ("led", "leading"),
    "meet": ("met", "meeting"), "set": ("set", "setting"), "let": ("let", "letting"), "draw": ("drew", "drawing"),
    "bear": ("bore", "bearing"), "stride": ("strode", "striding"), "overcome": ("overcame", "overcoming"),
    "slay": ("slew", "slaying"), "strike": ("struck", "striking"), "swing": ("swung", "swinging"),
    "fling": ("flung", "flinging"), "quit": ("quit", "quitting"), "withdraw": ("withdrew", "withdrawing"),
    "mislay": ("mislaid", "mislaying"), "weep": ("wept", "weeping"), "stink": ("stank", "stinking"),
    "spurn": ("spurned", "spurning"), "grind": ("ground", "grinding"), "foresee": ("foresaw", "foreseeing"),
    "withstand": ("withstood", "withstanding"), "lend": ("lent", "lending"), "uphold": ("upheld", "upholding"),
    "stick": ("stuck", "sticking"), "wear": ("wore", "wearing"), "thrust": ("thrust", "thrusting"),
    "spin": ("spun", "spinning"), "sever": ("severed", "severing"), "befall": ("befell", "befalling"),
    "arise": ("arose", "arising"), "mistake": ("mistook", "mistaking"), "forgo": ("forwent", "forgoing"),
    "undergo": ("underwent", "undergoing"), "overlook": ("overlooked", "overlooking"),
    "dispatch": ("dispatched", "dispatching"), "put": ("put", "putting"), "lie": ("lay", "lying"),
}  # fmt: skip

UNDOUBLED = frozenset(
    (
        "enter", "offer", "suffer", "wonder", "ponder", "linger", "discover", "consider", "deliver", "conquer",
        "smother", "wander", "utter", "alter", "trigger", "whisper", "shatter", "render", "recover", "fracture",
        "scamper", "plummet", "profit", "edit", "exit", "visit", "credit", "inherit", "benefit", "limit", "exhibit",
        "market", "open", "happen", "hearken", "frighten", "lessen", "listen", "reason", "question", "mention",
        "launch", "abandon", "develop", "envelop", "gossip", "gallop", "worship", "interpret", "attempt", "answer",
        "shelter", "shepherd", "master", "censure", "tutor", "trumpet", "clutter", "garner", "squander", "smatter",
        "fritter", "flounder", "snicker", "blubber", "simper", "proffer", "engender", "monitor",
    )
)  # fmt: skip
"""Verbs that end in consonant, vowel, consonant and yet keep a single consonant: the last syllable is unstressed."""


def plural(noun: str) -> str:
    """`stories` of `story`; a noun that the rules know to have no plural is returned as it is."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun in PLURAL_ONLY:
        return noun
    if noun.endswith("man") and noun != "human":
        return noun[:-2] + "en"
    return third_person(noun)


def third_person(verb: str) -> str:
    """The form with -s, which nouns and verbs share: `tries`, `watches`, `plays`."""
    if verb.endswith("y") and len(verb) > 1 and verb[-2] not in VOWELS:
        return verb[:-1] + "ies"
    if verb.endswith(("s", "x", "z", "ch", "sh")) or verb in ("go", "do", "veto", "hero"):
        return verb + "es"
    return verb + "s"


def past(verb: str) -> str:
    """`stopped` of `stop`."""
    if verb in IRREGULAR_VERBS:
        return IRREGULAR_VERBS[verb][0]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def progressive(verb: str) -> str:
    """`stopping` of `stop`."""
    if verb in IRREGULAR_VERBS:
        return IRREGULAR_VERBS[verb][1]
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def compared(adjective: str, ending: str) -> str:
    """The comparative (`er`) or superlative (`est`), with `more` or `most` for long adjectives."""
    if adjective.endswith("e") and len(adjective) <= 6:
        return adjective + ending[1:]
    if adjective.endswith("y") and len(adjective) <= 7 and adjective[-2] not in VOWELS:
        return adjective[:-1] + "i" + ending
    if len(adjective) <= 5 and not adjective.endswith(("ed", "ng", "ic", "al")):
        return _doubled(adjective) + ending
    return f"{'more' if ending == 'er' else 'most'} {adjective}"


def forms(word: str, pos: str) -> Iterator[tuple[str, str]]:
    """The forms of a word, each with its name: `base`, and for nouns `plural`, verbs `third`, `past`, `progressive`,
    adjectives `er`, `est`.

    Args:
        word: the base form, lower case.
        pos: `n`, `v`, `a`, or else `r` and `x` (adverbs, and what is not inflected either): the base form alone.
    """
    yield "base", word
    if pos == "n":
        yield "plural", plural(word)
    elif pos == "v":
        yield "third", third_person(word)
        yield "past", past(word)
        yield "progressive", progressive(word)
    elif pos == "a":
        yield "er", compared(word, "er")
        yield "est", compared(word, "est")


def inflected(word: str, pos: str, form: str) -> str:
    """The named form of a word."""
    return dict(forms(word, pos))[form]


def _doubled(word: str) -> str:
    """The last consonant doubled after a single stressed vowel: `stop`, not `cook`, `offer` or `fix`."""
    if len(word) < 3 or word in UNDOUBLED or word[-1] in VOWELS + "wxyhc" or word[-2] not in VOWELS:
        return word
    if word[-3] in VOWELS and not (word[-3] == "u" and word[-4:-3] == "q"):
        return word
    syllables = sum(a in VOWELS + "y" and b not in VOWELS + "y" for a, b in pairwise(word))
    return word + word[-1] if syllables == 1 or word.endswith(("mit", "fer", "cur", "pel", "bet")) else word
