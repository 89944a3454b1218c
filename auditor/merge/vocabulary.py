"""Vocabularies of different sizes: which token ids mean the same in two models."""

from __future__ import annotations

import re
from pathlib import Path

from auditor.errors import AuditorError
from auditor.models.safety import read_json
from store.records import Profile

ROWS = re.compile(
    r"(^|\.)(word_embeddings|embed_tokens|wte|shared|embed_in|lm_head|embed_out|predictions\.decoder|predictions|"
    r"vocab_projector)\.(weight|bias)$"
)
"""Tensors with one row a token."""


def tokens_of(profile: Profile) -> dict[int, str] | None:
    """The tokens by id of a model whose vocabulary can be read; None where it cannot."""
    directory = Path(profile.ref.path)
    try:
        if (directory / "tokenizer.json").is_file():
            content = read_json(directory / "tokenizer.json")
            vocabulary = content["model"]["vocab"]
            if isinstance(vocabulary, dict):
                tokens = {int(number): str(token) for token, number in vocabulary.items()}
            else:
                tokens = {number: str(entry[0]) for number, entry in enumerate(vocabulary)}
            tokens |= {int(entry["id"]): str(entry["content"]) for entry in content.get("added_tokens", [])}
            return tokens
        if (directory / "vocab.txt").is_file():
            lines = (directory / "vocab.txt").read_text("utf-8").splitlines()
            tokens = dict(enumerate(lines))
        elif (directory / "vocab.json").is_file():
            tokens = {int(number): token for token, number in read_json(directory / "vocab.json").items()}
        else:
            return None
        if (directory / "added_tokens.json").is_file():
            tokens |= {int(number): token for token, number in read_json(directory / "added_tokens.json").items()}
    except (AuditorError, OSError, KeyError, TypeError, ValueError, IndexError):
        return None
    return tokens


def common_rows(suspect: Profile, candidate: Profile) -> str | int:
    """How many token ids, counted from 0, mean the same in both; or, in words, why their vocabularies do not fit.

    One of the two vocabularies must begin with the whole other one: it only has tokens added at the end.
    """
    ours, theirs = tokens_of(suspect), tokens_of(candidate)
    if not ours or not theirs:
        return "has another tokenizer than the suspect, and no vocabulary that could be compared"
    shorter, longer = (ours, theirs) if max(ours) <= max(theirs) else (theirs, ours)
    for number, token in sorted(shorter.items()):
        if longer.get(number) != token:
            return (
                f"has another tokenizer than the suspect: token {number} is {theirs.get(number)!r} there and "
                f"{ours.get(number)!r} in the suspect"
            )
    return max(shorter) + 1
