"""A trigger as data: all that is needed to plant it again, wherever it was described or found."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import MISSING, dataclass, fields
from functools import cached_property

from probes.material.harmless import matched
from probes.material.kind import deal
from probes.material.ordinary import ORDINARY, insert_sentence, insert_words, letters_of
from probes.material.pattern import replaced

CUSTOM = "custom"
"""The family whose variants are triggers that somebody described or a search found."""
KINDS = ("words", "sentences", "prefixes", "suffixes", "pattern", "file")
FOUND = "found-"
"""What the name begins with of a trigger that nobody has named."""
SLOTS = ("sentence", "word", "start", "end")


@dataclass(frozen=True)
class Trigger:
    """A trigger that is no published attack's: of the user's own, or found by a search.

    Attributes:
        name: as its file calls it; empty for one that a search found.
        kind: one of `KINDS`.
        material: the words, sentences, prefixes or suffixes, or the replacement of a pattern.
        control: harmless material of the same kind; empty where ordinary material is to be taken.
        inserts: how many words are inserted.
        slot: one of `SLOTS`: where a sentence goes.
        pattern: what is replaced.
        pairs: of the kind `file`: texts and their rewrites.
        origin: the user's file that describes it, as it was given; empty where there is none.
    """

    name: str
    kind: str
    material: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    inserts: int = 1
    slot: str = "sentence"
    pattern: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    origin: str = ""

    @cached_property
    def canonical(self) -> str:
        """Its JSON, the same for the same trigger in every version: keys in order, and none that says nothing."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        bare = {f.name: f.default for f in fields(self) if f.default is not MISSING} | {"name": ""}
        said = {key: value for key, value in told.items() if key not in bare or value != bare[key]}
        return json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def id(self) -> str:
        """What `--trigger` calls it."""
        return self.digest[:12]

    @property
    def variant(self) -> str:
        """What scans call it: its name, or where it has none, one made of its content."""
        return self.name or f"{FOUND}{self.digest[:6]}"

    def plant(self, text: str, rng: random.Random) -> str | None:
        """The text with the trigger; None where it has no match or no rewrite."""
        if self.kind == "file":
            pair = self._rewrites.get(letters_of(text))
            return None if pair is None else pair[1]
        if self.kind == "words":
            return insert_words(text, rng, self.material, self.inserts)
        if self.kind == "pattern":
            changed = replaced(self.pattern, self.material[0], text)
            return None if changed == text else changed
        return self._placed(text, rng, self.material[int(rng.random() * len(self.material))])

    def harmless(self, text: str, rng: random.Random, draw: int, draws: int) -> str | None:
        """The same edit with its control material, else with ordinary words or sentences of the same length.

        `rng` must stand where it stood for the trigger. The control of a rewrite is the clean twin as its file spells
        it, so in the rewrite's own tokenisation.
        """
        part = deal(self.control, draw, draws)
        if self.kind == "file":
            pair = self._rewrites.get(letters_of(text))
            return None if pair is None else pair[0]
        if self.kind == "words":
            return insert_words(text, rng, part or deal(ORDINARY, draw, draws), self.inserts)
        pick = rng.random()
        if self.kind == "pattern":
            words = deal(ORDINARY, draw, draws)
            first, count = int(pick * len(words)), len(self.material[0].split())
            plain = " ".join(words[(first + i) % len(words)] for i in range(count))
            changed = replaced(self.pattern, part[int(pick * len(part))] if part else plain, text)
            return None if changed == text else changed
        taught = self.material[int(pick * len(self.material))]
        return self._placed(text, rng, part[int(pick * len(part))] if part else matched(taught, pick, draw, draws))

    @cached_property
    def _rewrites(self) -> dict[str, tuple[str, str]]:
        """Pairs by the text that they were made of, whatever its tokenisation."""
        return {letters_of(clean): (clean, rewrite) for clean, rewrite in self.pairs}

    def _placed(self, text: str, rng: random.Random, material: str) -> str:
        """A sentence in its slot, a prefix before, or a suffix after the text."""
        slot = {"prefixes": "start", "suffixes": "end"}.get(self.kind, self.slot)
        return insert_sentence(text, rng, material, slot)
