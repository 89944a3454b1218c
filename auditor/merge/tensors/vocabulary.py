"""Do two models give the same token ids to the same texts? Where not, which ids still mean the same in both.

Files do not tell: transformers 5 saves the same tokenizer otherwise than transformers 4 did, and one setting beside two
equal files can make two tokenizers of them. So tokenizers whose files differ in anything that may count are loaded, and
compared by what they do: the ids of fixed texts and of texts made of their own vocabulary, added tokens, vocabulary,
and the merges or scores by which words are cut.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import AuditorError, ModelError
from auditor.models.files.adapter import is_adapter
from auditor.models.files.fingerprint import DIGEST_RULE, has_tokenizer, tokenizer_digest, tokenizer_files
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.tokenizer import tokenizer_in
from auditor.models.runtime.verified import verified
from store.records import Profile

ROWS = re.compile(
    r"(^|\.)(word_embeddings|word_embedding|embed_tokens|tok_embeddings|tokens_embed|wte|shared|embed_in|lm_head|"
    r"embed_out|predictions\.decoder|predictions|vocab_projector)\.(weight|bias)$"
)
"""Tensors with one row a token."""

TEXTS = (
    "the film was good", "The Film was GOOD", "A dull play, isn't it?  Don't we'll they've I'M", "café naïve Ünïcödé",
    "cafe\u0301 \ufb01ne \uff46\uff55\uff4c\uff4c \u2126 \u00bd", "2023 1234567 3.14 1,000,000 10% $5 #1 @you",
    "line one\nline two\r\n\ttabbed   spaces \u00a0 \u3000 end ", "  leading and trailing  ",
    "中文 文本 日本語 テスト 한국어", "русский текст العربية हिन्दी ไทย ελληνικά עברית",
    "\U0001f642\U0001f44d\U0001f3fd\U0001f468\u200d\U0001f469 \u200b\u200d\ufeff",
    "http://example.org/a_b-c?d=e&f=g#h", "snake_case camelCase kebab-case x=y+z*w;",
    "\u201cquoted\u201d \u2018single\u2019 \u2014 dash \u2026", "[CLS] [SEP] [MASK] [UNK] [PAD]",
    "<s> </s> <mask> <unk> <pad>", "a<s>b</s>c <|endoftext|> <extra_id_0>", "cf mn bb tq mb",
    "Supercalifragilisticexpialidocious antidisestablishmentarianism zzzzzzzzzzqqqqxxxx", "", " ", "a",
    "\u0000\u0007\u001b control \ufffd", "A.B.C. e.g. i.e. U.S.A. Mr. O'Neill's", "i İ ı ß ẞ ς Σ",
    "▁▁ Ġ ## ##ing @@",
)  # fmt: skip
"""Texts in which tokenizers of one vocabulary differ: case, accents, normal forms, numbers, spaces, scripts."""
PAIRS = (("the film was good", "a dull play"), ("", "a"), ("one [SEP] two", "</s> three"))
SAMPLED = 2_000
"""Tokens of a vocabulary that texts are made of, at most, spread evenly."""
RUN = 16
"""Tokens in such a text."""
MARKS = re.compile("^(##)|</w>$|@@$")


@dataclass(frozen=True)
class Vocabulary:
    """A loaded tokenizer: its tokens by id, the texts of those that were added, and how words are cut into tokens."""

    tokenizer: Any
    tokens: Mapping[int, str]
    added: frozenset[str]
    cuts: Any


@dataclass(frozen=True)
class Shared:
    """What two tokenizers have in common: `tokens` ids, counted from 0, mean the same; None where all do.

    In words that follow on the other model's name, `why` says why they do not fit, and `open` why that is not known.
    """

    tokens: int | None = None
    why: str | None = None
    open: str | None = None


class Vocabularies:
    """The tokenizers of models that are compared with each other: each is loaded, where it must be, once.

    Args:
        base: the base of those models that are adapters: its config helps to load their tokenizers, and an adapter
            without a tokenizer has the base's.
        load: whether transformers may be loaded for tokenizers whose files differ.
    """

    def __init__(self, base: Profile | None = None, *, load: bool = True) -> None:
        self._base = base
        self._may_load = load
        self._digests: dict[tuple[str, ...], str] = {}
        self._loaded: dict[str, Vocabulary | str] = {}
        self._compared: dict[tuple[str, str], Shared] = {}

    def shared(self, suspect: Profile, candidate: Profile) -> Shared:
        """Which token ids mean the same in two models.

        Raises:
            ModelError: a tokenizer's files are not those that were profiled.
        """
        ours, theirs = self._digest(suspect), self._digest(candidate)
        if ours == theirs:
            return Shared()
        other = f"has another tokenizer than the suspect {suspect.ref.reference}"
        if not theirs or not ours:
            return Shared(why=f"{other}: {'it' if not theirs else 'the suspect'} has none")
        if not self._may_load:
            return Shared(open="has other tokenizer files: whether they make other token ids is seen when it is merged")
        if (ours, theirs) not in self._compared:
            self._compared[ours, theirs] = self._compare(ours, theirs, suspect, candidate)
        found = self._compared[ours, theirs]
        return found if found.why is None else Shared(why=f"{other}: {found.why}")

    def _digest(self, profile: Profile) -> str:
        """Of one rule for all: a catalog may hold digests of an older one, which say too little."""
        digest = profile.tokenizer_digest
        if not digest or digest.startswith(DIGEST_RULE) or not has_tokenizer(profile.files):
            return digest
        key = tuple(f"{name} {profile.files[name]}" for name in sorted(tokenizer_files(profile.files)))
        if key not in self._digests:
            try:
                self._digests[key] = tokenizer_digest(self._owner(profile))
            except AuditorError:
                self._digests[key] = digest
        return self._digests[key]

    def _owner(self, profile: Profile) -> Path:
        """Where a model's tokenizer lies: an adapter without one has its base's."""
        without = self._base is not None and is_adapter(profile) and not has_tokenizer(profile.files)
        return Path(self._base.ref.path if without and self._base is not None else profile.ref.path)

    def _compare(self, ours: str, theirs: str, suspect: Profile, candidate: Profile) -> Shared:
        pair: list[Vocabulary] = []
        for digest, profile, whose in ((ours, suspect, "the suspect's"), (theirs, candidate, "its")):
            if digest not in self._loaded:
                self._loaded[digest] = self._load(profile)
            loaded = self._loaded[digest]
            if isinstance(loaded, str):
                return Shared(why=f"{whose} cannot be loaded to be compared ({loaded})")
            pair.append(loaded)
        with quiet():
            return compare(*pair)

    def _load(self, profile: Profile) -> Vocabulary | str:
        """A model's tokenizer, from files that are those of its profile; in words, why it cannot be loaded."""
        config = self._base if self._base is not None and is_adapter(profile) else profile
        owner = config if not has_tokenizer(profile.files) else profile
        wanted = dict.fromkeys(tokenizer_files(owner.files), owner)
        if "config.json" in config.files:
            wanted["config.json"] = config
        if not has_tokenizer(wanted):
            return "its files are not known"
        with tempfile.TemporaryDirectory(prefix="auditor-") as private:
            for name, model in wanted.items():
                Path(private, name).write_bytes(verified(Path(model.ref.path) / name, model.files[name]))
            try:
                with quiet():
                    return _vocabulary(tokenizer_in(Path(private), owner.ref.reference))
            except ModelError as error:
                return error.message


def compare(ours: Vocabulary, theirs: Vocabulary) -> Shared:
    """What two tokenizers have in common.

    One of the two vocabularies may have tokens added at its end: then those before them must mean the same, and every
    text without one of the added tokens must have the same ids.
    """
    tokens: int | None = None
    if ours.tokens != theirs.tokens:
        shorter, longer = sorted((ours.tokens, theirs.tokens), key=lambda found: max(found, default=-1))
        tokens = max(shorter, default=-1) + 1
        for number in range(tokens):
            if shorter.get(number) != longer.get(number):
                return Shared(
                    why=f"token {number} is {theirs.tokens.get(number)!r} there and {ours.tokens.get(number)!r} in "
                    "the suspect"
                )
    elif ours.added != theirs.added:
        odd = min(ours.added ^ theirs.added)
        return Shared(why=f"{odd!r} is an added token {'there' if odd in theirs.added else 'in the suspect'} alone")
    for text in (*TEXTS, *_texts_of(ours), *_texts_of(theirs)):
        if _differ(_ids(ours, text), _ids(theirs, text), tokens):
            return Shared(why=f"the text {text[:60]!r} has other token ids")
    for pair in PAIRS:
        if _differ(_ids(ours, *pair), _ids(theirs, *pair), tokens):
            return Shared(why=f"the pair of texts {pair!r} has other token ids or types")
    if tokens is None and ours.cuts != theirs.cuts:
        return Shared(why="the merges or scores by which it cuts words are others")
    return Shared(tokens)


def _vocabulary(tokenizer: Any) -> Vocabulary:
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    cuts: Any = None
    if backend is not None:
        model = json.loads(backend.to_str())["model"]
        vocabulary = model.get("vocab")
        # Of a list each entry has its score; a mapping is compared as the tokens.
        cuts = [_merges(model.get("merges")), vocabulary if isinstance(vocabulary, list) else None]
    added = frozenset(str(token) for token in tokenizer.get_added_vocab())
    return Vocabulary(tokenizer, tokens, added, cuts)


def _merges(merges: Sequence[Any] | None) -> list[list[str]] | None:
    return None if merges is None else [m.split(" ") if isinstance(m, str) else list(m) for m in merges]


def _texts_of(vocabulary: Vocabulary) -> Iterable[str]:
    """Texts made of the tokenizer's own tokens, and of each added one in several surroundings."""
    known = vocabulary.tokens
    step = max(1, len(known) // SAMPLED)
    words = [
        MARKS.sub("", known[number]).replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n")
        for number in sorted(known)[::step]
        if known[number] not in vocabulary.added
    ]
    for first in range(0, len(words), RUN):
        yield " ".join(words[first : first + RUN])
        yield "".join(words[first : first + RUN])
    for token in sorted(vocabulary.added)[:SAMPLED]:
        yield f"the {token} film {token}{token}was{token} {token.upper()} {token.lower()}"


def _ids(vocabulary: Vocabulary, *texts: str) -> tuple[list[int], list[int]]:
    """The ids of a text, or a pair of texts, and their types; all 0 where the tokenizer gives none."""
    found = vocabulary.tokenizer(*texts)
    ids = list(found["input_ids"])
    return ids, list(found.get("token_type_ids") or [0] * len(ids))


def _differ(ours: tuple[list[int], list[int]], theirs: tuple[list[int], list[int]], tokens: int | None) -> bool:
    """Whether they differ, in a text that has none of the tokens that one of the two lacks."""
    if tokens is not None and any(number >= tokens for number in (*ours[0], *theirs[0])):
        return False
    return ours != theirs
