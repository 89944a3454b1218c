"""Where a model says it comes from: its card, and the records of a merge or of the lab beside its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.model_card import read_card
from auditor.models.files.untrusted import read_json
from store.records import Profile

CARD = "README.md"
MANIFEST = "auditor-merge.json"
"""What a merge writes beside the weights."""
LAB_RECORD = "auditor-lab.json"
"""What training writes beside the weights."""
MOST = 2_000_000
"""Bytes of a record, at most."""


@dataclass(frozen=True)
class Origin:
    """What a model says of its making. Nothing of it is proven.

    Attributes:
        bases: names of base models, as its profile and its card state them.
        datasets: names in the card.
        parents: digests of the models that it was merged or trained from.
        started: the digest of the one that it was trained from, as the lab recorded it.
        teacher: the digest of the model whose answers it was trained on, as the lab recorded it.
        rows: digests of its training rows, as trained on and as they were before any poisoning.
    """

    bases: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    started: str | None = None
    teacher: str | None = None
    rows: frozenset[str] = frozenset()


def read_origin(profile: Profile) -> Origin:
    """What lies beside a model's weights; records that are damaged or absent say nothing."""
    directory = Path(profile.ref.path)
    card = read_card(directory / CARD)
    merge, lab = _record(directory / MANIFEST), _record(directory / LAB_RECORD)
    parts = [merge.get("suspect"), *_listed(merge.get("partners"))]
    started = next(iter(_texts([lab.get("base_digest")])), None)
    parents = set(_texts(part.get("digest") for part in parts if isinstance(part, dict)))
    return Origin(
        bases=frozenset(_texts([profile.base, *_listed(card.get("base_model"))])),
        datasets=frozenset(name.casefold() for name in _texts(_listed(card.get("datasets")))),
        parents=frozenset(parents | ({started} if started else set())),
        started=started,
        teacher=next(iter(_texts([lab.get("teacher_digest")])), None),
        rows=frozenset(_texts([lab.get("rows_digest"), lab.get("clean_digest")])),
    )


def is_student(profile: Profile) -> bool:
    """Has a model learnt from another one's answers, as its record says? Then it is no independent one."""
    return read_origin(profile).teacher is not None


def ancestors(digest: str, parents: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that a model was made of, its parents' parents with them."""
    found: set[str] = set()
    waiting = [digest]
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def same_name(first: str, second: str) -> bool:
    """Do two names mean one model of the hub? One of them may lack its owner: `bert-base-uncased`."""
    one, two = plain_name(first), plain_name(second)
    return one == two or (("/" in one) != ("/" in two) and one.rpartition("/")[2] == two.rpartition("/")[2])


def plain_name(name: str) -> str:
    """The name without `hub:` and revision, in lower case."""
    return name.strip().removeprefix("hub:").partition("@")[0].casefold()


def _record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return read_json(path, limit=MOST)
    except ModelError:
        return {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(values: Iterable[Any]) -> list[str]:
    return [v.strip() for v in values if isinstance(v, str) and v.strip()]
