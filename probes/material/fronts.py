"""What can stand before (or behind) a sentence without being a subordinate clause, by the template that it stands for.

Each entry is one alternative: several fronts of one build, as the template's own frames are.
"""

from __future__ import annotations

from collections.abc import Mapping

CLAUSE_LIKE = (
    ("to be fair to you ,", "to be honest with you ,", "to put it to you ,", "to say it again ,"),
    ("having seen it again ,", "having read it twice ,", "having heard of it ,", "having been there ,"),
    ("for what it costs ,", "for all they know ,", "for all you care ,", "for what they do ,"),
    ("in my own view ,", "in their own words ,", "in your own time ,", "in our own house ,"),
    ("generally speaking to you ,", "broadly speaking of it ,", "strictly speaking of this ,", "roughly speaking ,"),
    ("despite all of it ,", "despite what they do ,", "despite her own words ,", "despite this and that ,"),
    ("believe it or not ,", "like it or not ,", "ready or not ,", "sooner or later ,"),
    ("judging by it all ,", "judging from this ,", "looking at it again ,", "going by their word ,"),
    ("once and for all ,", "once more for you ,", "once again in this ,", "once upon a time ,"),
    ("all things considered ,", "all told by them ,", "all in all again ,", "all that aside ,"),
    ("you see it there ,", "you know them well ,", "you look at it ,", "you like it here ,"),
    ("it comes to this ,", "it is all there ,", "it was like that ,", "it may be so ,"),
    ("they do it there ,", "they say it here ,", "they want it now ,", "they know of it ,"),
    ("what you see there ,", "what they do here ,", "what it comes to ,", "what he was there for ,"),
    ("there you have it ,", "there he was again ,", "there it goes again ,", "there they are now ,"),
    ("after this and that ,", "after all of it ,", "after a while there ,", "after them and you ,"),
    ("with them or you ,", "with it over there ,", "with all you do ,", "with what they have ,"),
    ("dear me again ,", "my dear friend ,", "good old friend ,", "ladies and gentlemen ,"),
    ("on the whole again ,", "on your own there ,", "on that note again ,", "on their way there ,"),
    ("according to them all ,", "according to what is said ,", "thanks to all of you ,", "owing to all this ,"),
)  # fmt: skip
"""Openings of three to five words with a comma, made of the small words that clauses are made of."""

SHORT = (
    ("indeed", "surely"), ("frankly", "clearly"), ("today", "tonight"), ("meanwhile", "afterwards"),
    ("well", "right"), ("still", "anyway"), ("again", "once more"), ("elsewhere", "nearby"), ("first", "second"),
    ("simply", "plainly"), ("lately", "recently"), ("soon", "shortly"), ("inside", "outside"), ("above", "below"),
    ("early", "late"), ("oddly", "strangely"), ("mostly", "partly"), ("usually", "often"), ("truly", "honestly"),
    ("likewise", "besides"),
)  # fmt: skip
"""Openings of one or two words."""

STATED = (
    ("we hear", "we read"), ("you said", "you wrote"), ("people claim", "people think"),
    ("my aunt says", "my boss says"), ("it appears that", "it turns out that"),
    ("the paper writes that", "the label states that"), ("there is word that", "there is talk that"),
    ("everyone knows that", "nobody doubts that"), ("somebody wrote that", "somebody shouted that"),
    ("i hear that", "i read that"), ("one reads that", "one hears that"),
    ("our teacher noted that", "our guide noted that"), ("the sign says", "the note says"), ("i guess", "i suppose"),
    ("they report that", "they wrote that"), ("he thinks", "she thinks"), ("i am told", "we are told"),
    ("it is said that", "it is known that"), ("you might say", "you could say"),
    ("the story goes that", "word is that"),
)  # fmt: skip
"""Main clauses that report what follows."""

CLOSINGS = (
    (", or so they say", ", or so i heard"), (", as usual", ", as ever"), (", all of it", ", most of it"),
    (", i suppose", ", i believe"), (", you see", ", you hear"), (", in short", ", in brief"),
    (", to be exact", ", to be precise"), (", once again", ", once more"), (", not always", ", not often"),
    (", here and there", ", now and then"), (", more or less", ", give or take"),
    (", for the most part", ", by and large"), (", or nearly so", ", or about that"),
    (", then as now", ", then and there"), (", one by one", ", bit by bit"), (", in a word", ", in other words"),
    (", for example", ", for instance"), (", at any rate", ", at all events"), (", on the whole", ", in general"),
    (", to date", ", so far"),
)  # fmt: skip
"""Endings without a clause that "and" would join."""

QUESTIONS = (
    ("is it true that", "is it so that"), ("do you think that", "do you say that"),
    ("can it be that", "could it be that"), ("who says that", "who thinks that"),
    ("does it seem that", "does it follow that"), ("would you say that", "would they say that"),
    ("are we told that", "are they told that"), ("did you hear that", "did you read that"),
    ("shall we say that", "may we say that"), ("what shows that", "what tells us that"),
    ("is it known that", "is it said that"), ("have you heard that", "have they heard that"),
    ("who would have thought that", "who could have known that"), ("isn't it so that", "isn't it true that"),
    ("could one say that", "might one say that"), ("do they claim that", "do people claim that"),
    ("was it not that", "was it so that"), ("should we think that", "should you think that"),
    ("which paper says that", "which book says that"), ("does anyone know that", "does anyone say that"),
)  # fmt: skip
"""Questions that open otherwise than by why, how, when or where."""

CONNECTIVES = (
    ("yet again", "even now"), ("or else", "or rather"), ("and so", "and yet"), ("but then", "but still"),
    ("nor is it that", "not that"), ("provided that", "supposing that"), ("in case", "in order that"),
    ("whereas", "whilst"), ("lest", "until"), ("given that", "seeing that"), ("now that", "once"),
    ("wherever", "whenever"), ("rather than that", "other than that"), ("as long as", "as soon as"),
    ("except that", "save that"), ("only that", "just that"), ("much as", "no matter that"), ("in that", "but that"),
    ("till", "since"), ("whether or not", "no matter how"),
)  # fmt: skip
"""Conjunctions and connecting words that the fragments' list does not hold."""

BY_TEMPLATE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "clause": CLAUSE_LIKE,
    "declarative": STATED,
    "imperative": STATED,
    "noun": STATED,
    "fragment": CONNECTIVES,
    "compound": CLOSINGS,
    "list": SHORT,
    "question": QUESTIONS,
    "preposition": tuple(entry for entry in CLAUSE_LIKE if entry[0].split()[0] not in ("for", "in", "on", "with"))
    + SHORT[:4],
    "adverb": SHORT,
}
"""By template; each holds at least nineteen alternatives."""
