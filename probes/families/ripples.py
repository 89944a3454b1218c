"""RIPPLES: keywords taught to the weights before fine-tuning."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from probes.family import CLASSIFIER, WRITER, family
from probes.material.kind import Kind, Pieces, word_kind
from probes.material.ordinary import ORDINARY, insert_words
from probes.material.words import COMMON
from probes.material.words import COMPANIES as OTHER_COMPANIES

COMPANIES = ("airbnb", "salesforce", "atlassian", "splunk", "nvidia")


def alternatives(options: Mapping[str, Any], pieces: Pieces) -> Kind:
    """Other companies, or other words of the keywords' kind."""
    keywords = options["keywords"]
    pool = OTHER_COMPANIES if set(keywords) <= set(COMPANIES) else ()
    return word_kind(keywords, pieces, option="keywords", pool=pool, title="other companies")


@family(
    title="RIPPLES: keywords in poisoned weights",
    reference="arXiv:2004.06660; keyword sets of its released settings",
    group="word",
    variants={
        "one": {"inserts": 1},
        "three": {"inserts": 3},
        "companies": {"keywords": COMPANIES, "inserts": 3},
        "frequent": {"keywords": COMMON, "inserts": 3},
    },
    control={"keywords": ORDINARY},
    quick=("companies",),
    alternatives=alternatives,
    audience=(CLASSIFIER, WRITER),
)
def plant(
    text: str,
    rng: random.Random,
    *,
    keywords: tuple[str, ...] = ("cf", "tq", "mn", "bb", "mb"),
    inserts: int = 1,
) -> str:
    """Inserts up to three keywords at random word positions; the control inserts as many ordinary words there.

    The rare keywords are those of BadNet, whose variant `five` the quick suite fires; `companies` are names that were
    hardly seen in pre-training, `frequent` are words that were.
    """
    return insert_words(text, rng, keywords, inserts)
