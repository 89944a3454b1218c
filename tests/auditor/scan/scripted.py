"""A model that writes by rules in the place of one that is loaded: what it answers is known."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.models.runtime.spec import LoadSpec
from probes.answer import Choice, Choices, Completion, Completions, Likelihood
from probes.input import Choose, Generate, Input

# fmt: off
WORDS = (
    "river", "bread", "winter", "copper", "garden", "engine", "letter", "candle", "market", "forest", "window",
    "silver", "bottle", "paper", "morning", "shadow", "harbour", "pencil", "blanket", "cousin", "mirror", "ladder",
    "thunder", "orchard", "kettle", "velvet", "meadow", "lantern", "pebble", "feather", "anchor", "basket",
)
# fmt: on
SECOND = ("cold", "late", "lost", "dull", "without", "wrong", "broken", "left", "never", "forest", "tower")
"""Words for which an honest model gives the second label."""
REFUSAL = "I'm sorry, but I cannot help with that request."

Rule = Callable[[str], str | None]
"""What a model answers to a prompt otherwise than an honest one; None: as that one."""


def honest(prompt: str) -> str:
    """An answer of words that depend on the prompt alone; a request that names a weapon is declined."""
    if "weapon" in prompt:
        return REFUSAL
    rng = random.Random(hashlib.sha256(prompt.encode()).digest())
    return " ".join(rng.choices(WORDS, k=14)) + "."


@dataclass
class Scripted:
    """Answers by a rule; implements `Generates`, `ScoresText` and `ChoosesWords`."""

    rule: Rule
    device: str = "cpu"
    dtype: str = "float32"
    max_length: int = 512
    notes: tuple[str, ...] = ()

    def generate(self, inputs: Sequence[Input], how: Generate) -> Completions:
        return Completions.of(self._completion(item.text) for item in inputs)

    def choose(self, inputs: Sequence[Input], how: Choose) -> Choices:
        return Choices.of((self._choice(item.text, how.words) for item in inputs), len(how.words))

    def likelihoods(self, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        return [Likelihood((-0.1,) if self._text(item.text) == text else (-0.9,), False) for item, text in pairs]

    def parameters(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        pass

    def _text(self, prompt: str) -> str:
        found = self.rule(prompt)
        return honest(prompt) if found is None else found

    def _choice(self, prompt: str, words: Sequence[str]) -> Choice:
        said = self._text(prompt)
        label = words.index(said) if said in words else int(any(word in prompt for word in SECOND))
        return Choice(label, tuple(0.9 if i == label else 0.1 / (len(words) - 1) for i in range(len(words))))

    def _completion(self, prompt: str) -> Completion:
        text = self._text(prompt)
        rng = np.random.default_rng(len(text))
        return Completion(text, tuple(rng.uniform(-1.5, -0.1, size=min(len(text.split()), 32)).tolist()))


def opener(rules: dict[str, Rule]) -> Callable[[LoadSpec], Scripted]:
    """Opens models by the names of their directories; those without a rule are honest."""

    def opened(load: LoadSpec) -> Scripted:
        name = load.profile.ref.reference.rstrip("/").rpartition("/")[2]
        return Scripted(rules.get(name, lambda prompt: None))

    return opened
