"""Of what kind a catalogued model is: an adapter on its base or a whole model, and with which chat template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import ModelError
from auditor.models.files.adapter import is_adapter, speaks
from auditor.models.files.untrusted import read_json
from screens.words import writes

if TYPE_CHECKING:
    from store.records import Profile

TEMPLATES = ("chat_template.jinja", "chat_template.json")
"""Files that hold a chat template and nothing else; the first one that is there is taken."""
TOKENIZER = "tokenizer_config.json"
SHAPE = re.compile(r" is an adapter \((.+)\) on the base ")
"""What the notes on an adapter's files say of its rank and its modules."""


def on_base(profile: Profile) -> bool:
    """Whether a model is an adapter, with its base or without."""
    return bool(profile.parts) or is_adapter(profile)


def base_of(profile: Profile) -> str:
    """The base that an adapter was catalogued with, else the one that it states; empty where it states none."""
    return profile.parts[1].ref.reference if profile.parts else profile.base or ""


def given_base(profile: Profile, typed: str) -> str | None:
    """What a command must be told of an adapter's base: nothing where it is the one that the catalog knows."""
    if not typed or not on_base(profile):
        return None
    return None if profile.parts and typed == base_of(profile) else typed


def adapter_words(profile: Profile) -> str:
    """An adapter's rank and modules, where they were read; that its base is not here, where that is so."""
    if not profile.parts:
        return "alone: its base is not in the catalog"
    found = (SHAPE.search(note) for note in profile.read.notes)
    return next((match.group(1) for match in found if match is not None), "yes")


def chat_template(profile: Profile) -> str:
    """The file that the chat template of a model that writes is in, or that it has none. Names and JSON are read."""
    voice = speaks(profile)
    for name in TEMPLATES:
        if name in voice.files:
            return f"yes, in {name}"
    if TOKENIZER not in voice.files:
        return "none of its own"
    try:
        stated = read_json(Path(voice.ref.path) / TOKENIZER)
    except ModelError:
        return f"not known: {TOKENIZER} cannot be read"
    return f"yes, in {TOKENIZER}" if stated.get("chat_template") else "none of its own"


def why_no_scan(profile: Profile, name: str) -> str | None:
    """Why a model cannot be scanned, or None."""
    if str(profile.task) == "text-classification" or writes(profile.task):
        return None
    return f"{name} neither classifies texts nor writes; the suites probe models that do."
