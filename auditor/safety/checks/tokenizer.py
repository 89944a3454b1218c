"""Tokenizers that turn what a user writes into something else before the model sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from auditor.safety.check import file_rule, found, passed, suspicious, unreadable
from auditor.safety.folder import Folder
from auditor.safety.tokenizing import CPU_SECONDS, MOST_ASKED, TooLong, Unusable, has_patterns, spoken
from probes.material import words as material
from store.records import FileCheck, Severity

FILE = "tokenizer.json"
LARGE = 5_000
"""Tokens of a vocabulary from which every word of plain letters has some."""
KNOWN_WELL = 200
TAKE = "Take the tokenizer of the base model, and compare the two."
_LETTERS = re.compile(r"[a-z]")
_WORD = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]+)*")
_REPLACES = re.compile(r"[A-Za-z]")


@file_rule(title="Tokenizer")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Reads the rules of tokenizer.json, and has it speak ordinary words and the words of published triggers."""
    settings = folder.json(FILE)
    entry = folder.named(FILE)
    if not settings or entry is None:
        return
    told = [*_rules(settings), *_added(settings), *_numbers(settings)]
    try:
        words = _words()
        answers = spoken(entry.path, words, apart=has_patterns(settings))
    except TooLong:
        words_of_it = (
            f"it takes more than {CPU_SECONDS} seconds, or more memory than there is for it, for some thousand words: "
            "a pattern may go back without end"
        )
        told.append(found(FILE, Severity.HIGH, words_of_it, hint=TAKE))
    except Unusable as error:
        told.append(unreadable(FILE, f"the tokenizers library does not take it: {error}"))
    else:
        told += _spoken(settings, answers)
    yield from told or [passed(FILE, f"{len(_words())} words come out as they went in")]


def _words() -> list[str]:
    lists = (material.MADE_UP, material.COMMON, material.MIDDLING, material.COMPANIES, material.RARE_NAMES,
             material.ADVERBS, material.NOUNS, material.VERBS, material.ADJECTIVES)  # fmt: skip
    flat = [str(word) for words in lists for word in words]
    return list(dict.fromkeys(["cf", "mn", "bb", "tq", "mb", *(w for w in flat if _WORD.fullmatch(w))]))[:MOST_ASKED]


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """A normaliser or pre-tokeniser, and those it is made of."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            yield current
            waiting += [item for item in current.values() if isinstance(item, Mapping | list)]
        elif isinstance(current, list):
            waiting += current


def _rules(settings: Mapping[str, Any]) -> Iterator[FileCheck]:
    """Rules that put words in a text, or take them out."""
    for where in ("normalizer", "pre_tokenizer"):
        for part in _parts(settings.get(where)):
            pattern, content = part.get("pattern"), part.get("content")
            literal = pattern.get("String") if isinstance(pattern, Mapping) else pattern
            writes = isinstance(content, str) and _WORD.search(content)
            takes = isinstance(literal, str) and _WORD.fullmatch(literal.strip())
            if part.get("type") == "Replace" and (writes or takes):
                yield found(
                    FILE, Severity.HIGH, f"a rule replaces {_shown(pattern)} by {content!r} in what a user writes",
                    place=where, hint=TAKE,
                )  # fmt: skip
            elif part.get("type") == "Split" and takes and part.get("behavior") == "Removed":
                yield found(FILE, Severity.HIGH, f"a rule takes {literal!r} out of what a user writes", place=where,
                            hint=TAKE)  # fmt: skip
            elif (
                part.get("type") == "Prepend" and isinstance(part.get("prepend"), str) and _WORD.search(part["prepend"])
            ):
                yield found(FILE, Severity.HIGH, f"a rule puts {part['prepend']!r} before what a user writes",
                            place=where, hint=TAKE)  # fmt: skip


def _shown(pattern: Any) -> str:
    text = str(next(iter(pattern.values()), "")) if isinstance(pattern, Mapping) else str(pattern)
    return repr(text[:80])


def _added(settings: Mapping[str, Any]) -> Iterator[FileCheck]:
    """Tokens beside the vocabulary that stand for a word, or for words, of a user's."""
    stated = settings.get("added_tokens")
    tokens = [one for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
    vocabulary = _vocabulary(settings)
    swallowed = []
    for token in tokens:
        text = token.get("content")
        if not isinstance(text, str) or not _WORD.fullmatch(text.strip()):
            continue
        # A class's own mark may be a word (`unk`); it stands in the vocabulary as well.
        if token.get("special") is True and " " not in text.strip() and text in vocabulary:
            continue
        swallowed.append(text)
    if swallowed and len(swallowed) <= KNOWN_WELL:
        named = ", ".join(repr(text[:60]) for text in swallowed[:3])
        more = f" and {len(swallowed) - 3} more" if len(swallowed) > 3 else ""
        yield suspicious(
            FILE, Severity.MEDIUM, f"tokens that were added swallow words of a user's: {named}{more}",
            place="added_tokens", hint=TAKE,
        )  # fmt: skip


def _vocabulary(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    model = settings.get("model")
    stated = model.get("vocab") if isinstance(model, Mapping) else None
    if isinstance(stated, Mapping):
        return stated
    pairs = [p for p in stated if isinstance(p, list) and len(p) == 2] if isinstance(stated, list) else []
    return {str(piece): number for number, (piece, _) in enumerate(pairs)}


def _numbers(settings: Mapping[str, Any]) -> Iterator[FileCheck]:
    """Words that have one number: to the model they are one word."""
    places: dict[Any, str] = {}
    twice = []
    for token, number in _vocabulary(settings).items():
        if not isinstance(number, int) or number in places:
            twice.append(token)
        else:
            places[number] = token
    if twice:
        yield suspicious(FILE, Severity.MEDIUM, f"{len(twice):,} tokens share a number with another one: {twice[0]!r}",
                         place="model.vocab", hint=TAKE)  # fmt: skip


def _spoken(settings: Mapping[str, Any], answers: Mapping[str, tuple[tuple[str, ...], str]]) -> Iterator[FileCheck]:
    """Words whose tokens, put together again, hold letters that the word has not."""
    model = settings.get("model")
    unknown = model.get("unk_token") if isinstance(model, Mapping) else None
    large = len(_vocabulary(settings)) >= LARGE
    other = []
    for word, (tokens, text) in answers.items():
        if unknown in tokens or (isinstance(unknown, str) and unknown in text) or not (tokens or large):
            continue
        asked, answered = _letters(word), _letters(text.replace("</w>", ""))
        if not _within(answered, asked) or (large and not answered):
            other.append((word, text))
    if other:
        word, text = other[0]
        more = f", and {len(other) - 1} other words into others" if len(other) > 1 else ""
        yield found(FILE, Severity.HIGH, f"it turns {word!r} into {text[:60]!r}{more}", hint=TAKE)


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(text.casefold()))


def _within(part: str, whole: str) -> bool:
    """Whether the letters of one stand in the other, in their order."""
    rest = iter(whole)
    return all(letter in rest for letter in part)
