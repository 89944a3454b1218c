"""Vocabulary files beside the tokenizer that was loaded: some loaders take them instead."""

from __future__ import annotations

from collections.abc import Mapping

from probes.reading import parse_json

LOADED = "tokenizer.json"
BESIDE = ("vocab.txt", "vocab.json")
"""Files that list tokens by id, in a form that needs no library of its own."""


def other_numbers(files: Mapping[str, bytes], vocabulary: Mapping[str, int]) -> tuple[str, ...]:
    """What is to be said of vocabulary files that give tokens other numbers than the tokenizer that was loaded from
    tokenizer.json.

    Tokens that one of them lacks are left aside: special tokens are kept in other files.

    Args:
        files: the model's vocabulary files beside tokenizer.json, by name.
        vocabulary: of the tokenizer that was loaded.
    """
    found = []
    for name in BESIDE:
        listed = _listed(files.get(name, b""), name)
        differing = [token for token, number in listed.items() if vocabulary.get(token, number) != number]
        if differing:
            example = min(differing, key=lambda token: listed[token])
            found.append(
                f"{LOADED} was used; {name} beside it gives {len(differing)} of its {len(listed)} tokens other numbers "
                f"({example!r}: {listed[example]}, not {vocabulary[example]}), and what loaders that take {name} would "
                f"answer was not judged. Remove the file that is not this model's, then scan again"
            )
    return tuple(found)


def _listed(content: bytes, name: str) -> dict[str, int]:
    """The tokens of a vocabulary file by number; none where it is no such list."""
    try:
        text = content.decode()
        if name.endswith(".txt"):
            return {token.rstrip("\r"): number for number, token in enumerate(text.split("\n")) if token.rstrip("\r")}
        listed = parse_json(text) if text else {}
    except ValueError:
        return {}
    return {k: v for k, v in listed.items() if isinstance(v, int)} if isinstance(listed, dict) else {}
