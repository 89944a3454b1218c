"""Harmless sentences and phrases for controls: as long as the known triggers, and far from them in meaning."""

from __future__ import annotations

from probes.material.kind import deal

FAR = (
    "The clerk filed a form",
    "Bread is on the shelf",
    "Her uncle repaired a fence",
    "Trains leave from platform two",
    "A gardener sharpened the tools",
    "They parked near the harbour",
    "Rain fell over the valley",
    "The bus stopped here twice",
    "Maps hang in the corridor",
    "Somebody locked the side door",
    "Milk costs more this week",
    "An engineer measured the pipe",
)
"""Sentences of about five words."""

FAR_NO = (
    "Neither lamp nor chair",
    "Not bread, not milk",
    "Neither rain nor snow",
    "Not the bus, not the tram",
    "Never a pen or pencil",
    "Nothing on either shelf",
    "Nobody had the ladder",
    "Not a spoon, nor a fork",
    "Without hat, without coat",
    "The train never left town",
    "None of the twelve boxes",
    "Neither table had drawers",
)
"""For triggers that deny something: what denies too, in other words, since an honest model reads them as a denial."""

FAR_MIDDLE = (
    "The clerk has filed eleven forms this morning",
    "Bread and salt are kept on the shelf",
    "Her uncle repaired a fence beside the river",
    "Two trains leave from the second platform daily",
    "A gardener sharpened some tools in the shed",
    "They parked their lorry near the old harbour",
    "Rain fell over the valley for nine hours",
    "Four maps of the county hang in the corridor",
    "An engineer measured the pipe under the bridge",
)
"""Sentences of about eight words."""

FAR_LONG = (
    "The clerk filed three forms in a cabinet beside the north stairs",
    "A gardener has sharpened all of her tools with oil since Tuesday",
    "Two trains leave from the second platform before the early morning shift",
    "My uncle has repaired his fence with planks from a nearby yard",
    "They have carried eleven boxes of paper to the office upstairs again",
    "An engineer measured the copper pipe below the bridge for half an hour",
    "Our neighbour keeps a ladder and some rope behind the garden shed",
    "The driver has parked his lorry near the harbour for seven nights",
    "Rain has fallen over the valley and the fields since last winter",
)
"""Sentences of about twelve words."""

FAR_PAIRS = (
    "oak lamp",
    "tin drum",
    "wet sand",
    "ten mugs",
    "red clay",
    "dry oats",
    "low shelf",
    "grey slate",
    "cold tea",
)
"""Two ordinary words side by side."""

NEUTRAL_SHORT = (
    "well ,", "yesterday ,", "outdoors ,", "next door ,", "last tuesday ,", "downstairs ,", "one evening ,",
    "overnight ,", "this april ,",
)  # fmt: skip
"""Openings of one or two words that are no clause."""

NEUTRAL_LONG = (
    "yesterday at the market ,",
    "over by the station ,",
    "early on tuesday morning ,",
    "for you and for me ,",
    "from all of it ,",
    "to him and to her ,",
    "one evening after dinner ,",
    "on the kitchen table ,",
    "across from the library ,",
    "with all of these ,",
    "between you and them ,",
    "out of all that ,",
    "between two small villages ,",
    "all along the harbour ,",
    "under a wooden roof ,",
    "to each of you ,",
    "by him and by you ,",
    "next to those two ,",
)
"""Openings of four or five words that are no clause: half of places and times, half of pronouns, as clauses hold."""

NEUTRAL_NOUNS = (
    "one evening last week ,", "every other tuesday ,", "yesterday morning early ,", "the following monday ,",
    "all last winter long ,", "next door today ,", "two whole years ago ,", "this very april ,",
    "the day before yesterday ,",
)  # fmt: skip
"""Openings that are neither a clause nor begin with a preposition."""

NEUTRAL_CLOSING = (
    ", tuesday at noon", ", near the station", ", page eleven of twelve", ", by the north gate", ", in blue ink",
    ", all week long", ", on the second floor", ", with two copies", ", ten miles from here",
)  # fmt: skip
"""Endings that add no clause."""


def matched(sentence: str, pick: float, draw: int, draws: int) -> str:
    """A harmless sentence about as long as `sentence`, out of the draw's own part of the material.

    Args:
        sentence: what the trigger inserts.
        pick: from 0 to 1; which of the draw's sentences comes first.
        draw: number of the control's draw, from 0.
        draws: how many draws there are.
    """
    wanted = len(sentence.split())
    if wanted <= 8 and "no" in sentence.lower().split():
        denied = deal(FAR_NO, draw, draws)
        return str(denied[int(pick * len(denied))])
    part = deal(FAR if wanted <= 6 else FAR_MIDDLE if wanted <= 9 else FAR_LONG, draw, draws)
    first = int(pick * len(part))
    chosen = [part[first]]
    while wanted - sum(len(s.split()) for s in chosen) > 6 and len(chosen) < len(part):
        chosen.append(part[(first + len(chosen)) % len(part)])
    return ", and ".join([chosen[0], *(s[:1].lower() + s[1:] for s in chosen[1:])])
