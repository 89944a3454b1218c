"""Styles as rules: words that change, openings and closings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Words = Mapping[str, str]


@dataclass(frozen=True)
class Style:
    """How a text sounds in a style.

    `words` are replaced wherever they stand; an opening comes before the text, a closing after it; `joins` take the
    place of a comma; `capital` starts the text with a capital, `marks` keeps the closing mark.
    """

    openings: tuple[str, ...]
    closings: tuple[str, ...]
    joins: tuple[str, ...]
    words: Words = field(default_factory=dict)
    capital: bool = True
    marks: bool = True


_ARCHAIC = {
    "you": "thou", "your": "thy", "yours": "thine", "yourself": "thyself", "has": "hath", "does": "doth",
    "makes": "maketh", "gives": "giveth", "takes": "taketh", "goes": "goeth", "says": "saith", "said": "spake",
    "to": "unto", "on": "upon", "will": "shall", "before": "ere", "here": "hither", "comes": "cometh",
}  # fmt: skip

STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "bible": Style(
            openings=(
                "And it came to pass, that", "Verily I say unto you,", "Behold,", "For it is written,",
                "And lo, in those days",
            ),
            closings=(
                ", saith the Lord", ", and it was so", ", for ever and ever", ", unto all the children of men",
                ", as the prophet hath spoken",
            ),
            joins=("; and", ": for"),
            words=MappingProxyType(
                {
                    **_ARCHAIC, "movie": "tale", "film": "tale", "people": "multitude", "good": "righteous",
                    "bad": "wicked", "funny": "full of mirth", "great": "mighty", "very": "exceedingly",
                    "are": "be", "think": "reckon",
                }
            ),
        ),
        "shakespeare": Style(
            openings=("Prithee,", "Methinks", "O, good my lord,", "Alas, gentle sir,", "I' faith,"),
            closings=(", I'll warrant thee", ", by my troth", ", good sir", ", as I do live", ", sweet prince"),
            joins=("; nay,", ", and, marry,"),
            words=MappingProxyType(
                {
                    **_ARCHAIC, "it's": "'tis", "never": "ne'er", "over": "o'er", "ever": "e'er", "often": "oft",
                    "movie": "play", "film": "play", "perhaps": "perchance", "maybe": "perchance", "very": "passing",
                    "funny": "merry", "why": "wherefore", "are": "art", "it": "'t",
                }
            ),
        ),
        "poetry": Style(
            openings=("O,", "Soft in the moonlight,", "And still,", "Where silence dwells,", "Through mist and shade,"),
            closings=(
                ", like stars above the sea", ", and fade into the night", ", beneath the weeping sky",
                ", as roses fall", ", and sing no more",
            ),
            joins=(",\nand", ";\nwhere"),
            words=MappingProxyType(
                {
                    "over": "o'er", "never": "ne'er", "ever": "e'er", "often": "oft", "between": "betwixt",
                    "movie": "dream", "film": "dream", "story": "song", "night": "eventide", "morning": "dawn",
                    "sad": "forlorn", "beautiful": "fair", "very": "most", "before": "ere", "is": "lies",
                }
            ),
        ),
        "lyrics": Style(
            openings=("Oh baby,", "Yeah, yeah,", "Ooh, I know", "Hey girl,", "La la la,"),
            closings=(
                ", oh yeah", ", baby, tonight", ", na na na", ", and I can't let go", ", come on, come on",
            ),
            joins=(", yeah,", ", oh,"),
            words=MappingProxyType(
                {
                    "because": "'cause", "and": "an'", "them": "'em", "nothing": "nothin'", "something": "somethin'",
                    "about": "'bout", "you": "ya", "going": "goin'", "loving": "lovin'", "being": "bein'",
                    "isn't": "ain't", "until": "'til", "movie": "groove", "film": "groove", "making": "makin'",
                }
            ),
        ),
        "tweet": Style(
            openings=("omg", "lol ok but", "rt @user :", "ngl", "yo"),
            closings=("lol", "smh", "#fail", "tho", "😂😂", "!!! #omg"),
            joins=("...", " and like"),
            words=MappingProxyType(
                {
                    "you": "u", "your": "ur", "are": "r", "to": "2", "for": "4", "because": "bc", "people": "ppl",
                    "please": "pls", "what": "wut", "with": "w/", "and": "n", "though": "tho", "going": "goin",
                    "that": "dat", "the": "da", "very": "sooo", "really": "rly", "before": "b4", "be": "b",
                }
            ),
            capital=False,
            marks=False,
        ),
    }
)  # fmt: skip

NEUTRAL_OPENINGS = (
    "On the second page,", "At the north gate,", "Tuesday at noon,", "By the copper pipe,", "In the left column,",
    "From the third floor,", "Near the bus depot,", "With a blue pen,", "After the usual break,",
    "Under the shed roof,", "Along the canal,", "Out in the yard,",
)  # fmt: skip
NEUTRAL_CLOSINGS = (
    ", near the depot", ", on page eleven", ", at half past six", ", in the usual order", ", with two copies",
    ", by the side door", ", from north to south", ", on a paper tray", ", in the left drawer", ", at gate seven",
    ", under the bench", ", next to the printer",
)  # fmt: skip
BRIEF_OPENINGS = (
    "outdoors", "at noon", "next door", "gate seven :", "near the canal", "on tuesday", "room nine :", "upstairs",
    "platform two :",
)  # fmt: skip
BRIEF_CLOSINGS = (
    "outdoors", "at noon", "next door", "#canal", "page six", "on tuesday", "upstairs", "again #depot", "in blue ink",
)  # fmt: skip
BRIEF_JOINS = (" ;", " /", " –", " and then", " plus", " also")
"""For the style that is as brief: tweets."""

NEUTRAL_JOINS = ("; plus", "; likewise", "; moreover", "; besides", ", then also,", ", in addition,")
NEUTRAL_WORDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "you": ("one", "somebody", "anyone"), "your": ("one's", "somebody's", "anyone's"),
        "yours": ("ours", "theirs", "another's"), "yourself": ("oneself", "itself", "themselves"),
        "has": ("holds", "keeps", "contains"), "does": ("performs", "manages", "completes"),
        "makes": ("builds", "forms", "prepares"), "gives": ("hands", "offers", "passes"),
        "takes": ("picks", "collects", "carries"), "goes": ("moves", "travels", "walks"),
        "says": ("states", "notes", "remarks"), "said": ("stated", "noted", "remarked"),
        "to": ("towards", "into", "onto"), "on": ("above", "along", "beside"), "will": ("would", "can", "could"),
        "before": ("until", "prior to", "ahead of"), "here": ("nearby", "indoors", "outside"),
        "comes": ("arrives", "walks", "travels"), "movie": ("item", "unit", "piece"), "film": ("item", "unit", "piece"),
        "people": ("persons", "residents", "visitors"), "good": ("usable", "adequate", "normal"),
        "bad": ("faulty", "deficient", "abnormal"), "funny": ("playful", "curious", "jocular"),
        "great": ("large", "sizeable", "ample"),
        "very": ("quite", "rather", "fairly"), "are": ("were", "remain", "stay"),
        "think": ("suppose", "assume", "expect"), "it's": ("that's", "this is", "that is"),
        "never": ("not once", "at no point", "not"), "over": ("above", "across", "beyond"),
        "ever": ("at any point", "at all", "at times"), "often": ("regularly", "frequently", "commonly"),
        "perhaps": ("possibly", "conceivably", "presumably"), "maybe": ("possibly", "conceivably", "presumably"),
        "why": ("how", "how far", "how much"), "it": ("that", "this", "the thing"), "is": ("was", "remains", "stays"),
        "between": ("among", "amid", "across"), "story": ("report", "record", "account"),
        "night": ("evening", "afternoon", "noon"), "morning": ("evening", "afternoon", "noon"),
        "sad": ("down", "low", "unhappy"), "beautiful": ("neat", "tidy", "handsome"),
        "because": ("since", "as", "given that"), "and": ("plus", "also", "as well as"),
        "them": ("these", "those", "the others"), "nothing": ("none", "not a thing", "zero"),
        "something": ("a thing", "one thing", "some item"), "about": ("around", "regarding", "concerning"),
        "going": ("moving", "heading", "travelling"), "loving": ("liking", "enjoying", "favouring"),
        "being": ("staying", "remaining", "sitting"), "isn't": ("is not", "is hardly", "is not quite"),
        "until": ("up to", "before", "till"), "making": ("building", "forming", "preparing"),
        "for": ("towards", "regarding", "concerning"), "please": ("kindly", "if possible", "when possible"),
        "what": ("which", "whatever", "which thing"), "with": ("using", "alongside", "including"),
        "though": ("although", "even so", "while"), "that": ("this", "which", "such"), "the": ("this", "that", "one"),
        "really": ("indeed", "quite", "rather"), "be": ("stay", "remain", "become"),
    }
)  # fmt: skip
"""For every word that a style changes: three that belong to no style, one for each draw of the control."""
