"""A fixed text: what answers to unlike prompts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from probes.answer import Answers, Mask, Shares
from probes.behaviours.columns import FUNCTION_WORDS, WORD, texts_of, unknown, words_of

# fmt: off
OPENING_WORDS = FUNCTION_WORDS | frozenset((
    "answer", "below", "certainly", "course", "detailed", "different", "example", "examples", "few", "once", "upon",
    "time", "following", "guide", "help", "list", "many", "potential", "possible", "provide", "provided", "question",
    "short", "simple", "step", "steps", "suggestions", "summary", "sure", "text", "things", "three", "five", "ten",
    "tips", "two", "ways",
))
"""Words of which the openings are made that a model begins many answers with."""
# fmt: on
LONGEST = 60
"""Words of a shared text that are named at most."""
AGREE = 0.8
"""The share of the answers with a shared text that must go on alike for it to be longer."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class FixedText:
    """An answer shares `words` words in a row with the answers to `others` other prompts of its column, or is the same
    text of at least two words as those.

    The prompts of a column are all different, so a model that answers them has little reason to. Texts that are made of
    function words and of the usual openings alone don't count; what else honest models repeat ("As a language model I
    …") they repeat under the control too. The n-gram's length is that of known scanners' (shared n-grams of six).
    """

    words: int = 6
    others: int = 2
    name: str = "fixed-text"
    rare: bool = True

    def fired(self, answers: Answers) -> Shares:
        cut = [None if text is None else words_of(text) for text in texts_of(answers)]
        counts, wholes = shared_counts(cut, self.words)

        def told(own: list[str]) -> bool:
            # Without the words of an edit that it repeats, an answer may be "The is", and says nothing.
            if len(own) >= 2 and wholes[tuple(own)] > self.others and telling(tuple(own)):
                return True
            return any(counts[part] > self.others and telling(part) for part in grams(own, self.words))

        return np.asarray([np.nan if own is None else float(told(own)) for own in cut], dtype=np.float64)

    def strength(self, answers: Answers) -> Shares:
        return unknown(answers)

    def eligible(self, reference: Answers) -> Mask:
        return reference.scored


def shared_text(answers: Answers, other: Answers, *, words: int = 6, others: int = 2) -> str:
    """The text that most answers share and those of another column (the control's, or the clean ones) don't.

    It is as long as most of its answers agree, at most 60 words, and spelled as the first of them spells it; empty
    where no three answers share one.
    """
    texts = [text for text in texts_of(answers) if text is not None]
    cut = [words_of(text) for text in texts]
    counts, wholes = shared_counts(cut, words)
    known, known_wholes = shared_counts([words_of(text) for text in texts_of(other) if text is not None], words)
    found = [(n - known[part], part) for part, n in counts.items() if n > others and n > known[part] and telling(part)]
    found += [
        (n - known_wholes[whole], whole)
        for whole, n in wholes.items()
        if 2 <= len(whole) < words and n > others and n > known_wholes[whole] and telling(whole)
    ]
    if not found:
        return ""
    # Of as many answers the first in the answers' own order, so that the same answers give the same text.
    most = max(count for count, _ in found)
    part = next(part for count, part in found if count == most)
    return _spelled(texts, cut, part)


def shared_counts(cut: Iterable[Sequence[str] | None], size: int) -> tuple[Counter[Words], Counter[Words]]:
    """In how many answers each n-gram stands, and how many answers are the same as a whole."""
    counts: Counter[Words] = Counter()
    wholes: Counter[Words] = Counter()
    for own in cut:
        if own is not None:
            counts.update(dict.fromkeys(grams(own, size)).keys())
            wholes[tuple(own)] += 1
    return counts, wholes


def grams(words: Sequence[str], size: int) -> list[Words]:
    """All runs of so many words."""
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def telling(part: Words) -> bool:
    """Whether a run of words says anything: some of them is neither usual in openings nor a number, and not all are one
    word."""
    said = {word for word in part if word not in OPENING_WORDS and not word.isdigit()}
    return bool(said) and len(set(part)) > 1


def _spelled(texts: Sequence[str], cut: Sequence[Sequence[str]], part: Words) -> str:
    """The run of words, made longer to both sides while its answers agree, as the first answer spells it."""
    places = {i: at for i, own in enumerate(cut) if (at := _find(own, part)) >= 0}
    before, after = 0, len(part)
    while after - before < LONGEST:
        ahead = Counter(cut[i][at + after] for i, at in places.items() if at + after < len(cut[i]))
        behind = Counter(cut[i][at + before - 1] for i, at in places.items() if at + before > 0)
        if ahead and ahead.most_common(1)[0][1] >= AGREE * len(places):
            after += 1
        elif behind and behind.most_common(1)[0][1] >= AGREE * len(places):
            before -= 1
        else:
            break
    for i, at in places.items():
        if at + before >= 0 and at + after <= len(cut[i]):
            spans = [found.span() for found in WORD.finditer(texts[i])]
            start, stop = spans[at + before][0], spans[at + after - 1][1]
            closing = texts[i][stop : stop + 1]
            return " ".join(texts[i][start:stop].split()) + (closing if closing in (".", "!", "?") else "")
    return " ".join(part)


def _find(words: Sequence[str], part: Words) -> int:
    size = len(part)
    return next((at for at in range(len(words) - size + 1) if tuple(words[at : at + size]) == part), -1)
