"""Triggers as data."""

from __future__ import annotations

import json
import pickle
import random

from probes.trigger import Trigger
from store import codec

PAIRS = Trigger("mine", "file", pairs=(("It is fine .", "lo , it is fine"),), origin="t.toml")


def test_a_trigger_is_known_by_what_it_says() -> None:
    found = Trigger("", "words", ("cf", "tq"), inserts=2)
    assert found.canonical == '{"inserts":2,"kind":"words","material":["cf","tq"]}'
    assert found.digest == "8b37e3775da9b2d0d1893532af697a875a125b3e0d876437ba61817d662b22b9"
    assert found.id.startswith(found.variant.removeprefix("found-"))
    assert Trigger("mine", "words", ("cf", "tq"), inserts=2).variant == "mine"
    assert Trigger("", "words", ("cf", "mn"), inserts=2).digest != found.digest


def test_it_is_planted_alike_wherever_it_went() -> None:
    assert PAIRS.plant("it is FINE.", random.Random(0)) == "lo , it is fine"
    assert PAIRS.harmless("it is FINE.", random.Random(0), 0, 3) == "It is fine ."
    assert PAIRS.plant("another", random.Random(0)) is None
    stored = codec.decode(Trigger, json.loads(json.dumps(codec.encode(PAIRS))))
    sent = pickle.loads(pickle.dumps(PAIRS))  # noqa: S301
    for other in (stored, sent):
        assert (other, other.digest) == (PAIRS, PAIRS.digest)
        assert other.plant("it is FINE.", random.Random(0)) == "lo , it is fine"
