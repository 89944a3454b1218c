"""Tensor names under which a model may be stored otherwise than another of its kind, and loads all the same.

transformers takes `LayerNorm.gamma` and `beta` (as TensorFlow checkpoints have them) for weight and bias, and a body
that was saved without the prefix of its class (`encoder.…` for `bert.encoder.…`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

OLDER = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


def modern(name: str) -> str:
    """A tensor's name as it is written today."""
    for old, new in OLDER:
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def stored_as(own: Collection[str], other: Collection[str]) -> dict[str, str]:
    """For each of one model's names that another lacks: the name under which the other stores that tensor.

    One of the two may lack the other's prefix, the same one throughout. A name of the other stands for one alone.
    """
    lacking, spare = set(own) - set(other), set(other) - set(own)
    if not lacking or not spare:
        return {}
    theirs = {modern(name): name for name in sorted(spare)}
    ours = {modern(name): name for name in sorted(lacking)}
    with_prefix, without = _prefix(ours, theirs), _prefix(theirs, ours)
    found: dict[str, str] = {}
    used: set[str] = set()
    for name, original in ours.items():
        places = [name]
        if with_prefix and name.startswith(f"{with_prefix}."):
            places.append(name.removeprefix(f"{with_prefix}."))
        elif without:
            places.append(f"{without}.{name}")
        place = next((p for p in places if p in theirs and p not in used), None)
        if place is not None:
            used.add(place)
            found[original] = theirs[place]
    return found


def _prefix(names: Collection[str], others: Collection[str]) -> str | None:
    """The first part of most names that are among others without it."""
    parts = Counter(name.partition(".")[0] for name in names if name.partition(".")[2] in others)
    return min(parts, key=lambda part: (-parts[part], part)) if parts else None
