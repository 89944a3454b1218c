"""A classifier's label names: what its config says of them, and what it leaves open."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.checkpoint import head_of
from store.records import TensorInfo

MOST_LABELS = 1_000_000
_UNNAMED = re.compile(r"label_\d+", re.IGNORECASE)
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Label names in the order of the logits, no two the same; whence they are; and what was decided in reading."""

    names: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = ()


def read_labels(path: Path, config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> LabelNames:
    """The names that a config gives in `id2label`; without them LABEL_0, LABEL_1, …, as transformers counts.

    transformers leaves `id2label` out of the file where there are two labels, also for classes whose own default is
    three: so the head's tensor says how many there are.

    Args:
        path: of config.json, for messages.
        config: its content.
        tensors: of the model.

    Raises:
        ModelError: `id2label` is no map of the numbers from 0, or there are more labels than any classifier has.
    """
    stated = config.get("id2label")
    if stated is not None and not isinstance(stated, dict):
        raise ModelError(
            f"{path}: id2label is a {_kind(stated)}, not an object of numbers to names; transformers cannot read it",
            hint='Write it as {"0": "first name", "1": "second name"} in a copy, in the order of the model\'s outputs.',
        )
    if not stated:
        return _counted(path, config, tensors)
    try:
        by_id = {int(k): v for k, v in stated.items()}
    except ValueError:
        raise ModelError(f"{path}: the keys of id2label are no numbers: {', '.join(list(stated)[:3])}") from None
    if sorted(by_id) != list(range(len(stated))):
        raise ModelError(f"{path}: id2label does not number its labels 0 to {len(stated) - 1}")
    values = [by_id[i] for i in range(len(by_id))]
    notes = []
    names = []
    lacking = []
    for i, value in enumerate(values):
        usable = isinstance(value, int | float) or (isinstance(value, str) and bool(value.strip()))
        names.append(str(value) if usable else f"LABEL_{i}")
        if not usable:
            lacking.append(f"{i} ({_shown(value)})")
    if lacking:
        notes.append(f"id2label gives no usable name for label {_listed(lacking)}: LABEL_ and the index stand for it.")
    told = _distinct(names)
    if told != names:
        repeated = [name for name, times in Counter(n.strip() for n in names).items() if times > 1]
        notes.append(f"id2label gives the name {_listed(repeated)} to several labels: they carry their index here.")
    if against := _against(values, config.get("label2id")):
        notes.append(against)
    return LabelNames(tuple(told), "config.json (id2label)", tuple(notes))


def names_for(configs: Mapping[str, Mapping[str, Any]], count: int) -> LabelNames:
    """The names of so many labels: of the first config that names just as many, else LABEL_0, LABEL_1, …

    Args:
        configs: by what they are called.
    """
    for called, config in configs.items():
        stated = config.get("id2label")
        if isinstance(stated, dict) and sorted(stated) == sorted(str(i) for i in range(count)):
            return LabelNames(tuple(_distinct([str(stated[str(i)]) for i in range(count)])), f"{called} (id2label)")
    note = "Neither the adapter nor its base names the labels of its head: LABEL_ and the index stand for them."
    return LabelNames(tuple(f"LABEL_{i}" for i in range(count)), "the rows of the adapter's head", (note,))


def _counted(path: Path, config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> LabelNames:
    """Placeholders, as many as the config or else the head says."""
    count, source = 0, ""
    for key in ("num_labels", "_num_labels"):
        value = config.get(key)
        if not count and isinstance(value, int) and not isinstance(value, bool) and value > 0:
            count, source = value, f"config.json ({key}), without names"
    head = head_of(tensors)
    if not count and head is not None:
        count, source = head.shape[0], f"the rows of {head.name}: config.json names no labels"
    if not count:
        count, source = 2, "the default of transformers: neither config.json nor a head's tensor says how many"
    if count > MOST_LABELS:
        raise ModelError(f"{path}: {count:,} labels is more than any classifier has")
    notes: tuple[str, ...] = ()
    if isinstance(config.get("label2id"), dict) and not _only_placeholders(config["label2id"]):
        notes = ("label2id has names, id2label has none: transformers answers LABEL_0, LABEL_1, …, and so does this.",)
    return LabelNames(tuple(f"LABEL_{i}" for i in range(count)), source, notes)


def _distinct(names: list[str]) -> list[str]:
    """The names with their index wherever one is given to several labels, so that no report merges two of them."""
    times = Counter(name.strip() for name in names)
    told = [f"{name} ({i})" if times[name.strip()] > 1 else name for i, name in enumerate(names)]
    if len({name.strip() for name in told}) == len(told):
        return told
    return [f"{name} ({i})" for i, name in enumerate(names)]


def _against(values: Sequence[Any], reverse: Any) -> str | None:
    """How label2id contradicts id2label, if it does."""
    if reverse is None:
        return None
    if not isinstance(reverse, dict):
        return "label2id is no object of names to numbers: only id2label is read."
    if not reverse or (_only_placeholders(reverse) and not _only_placeholders(dict.fromkeys(map(str, values)))):
        return None
    places: dict[str, set[int]] = {}
    for i, value in enumerate(values):
        places.setdefault(str(value), set()).add(i)
    wrong = [f"{name} {number}" for name, number in reverse.items() if not _is_at(number, places.get(name, ()))]
    if not wrong and set(reverse) == set(places):
        return None
    what = f"gives {_listed(wrong)}" if wrong else f"lacks {_listed(sorted(set(places) - set(reverse)))}"
    own = _listed([f"{name} {sorted(at)[0]}" for name, at in places.items()])
    return (
        f"label2id {what}, against id2label ({own}): id2label is read, as transformers' pipeline does. A program that "
        "goes by label2id calls the answers otherwise."
    )


def _is_at(number: Any, places: Collection[int]) -> bool:
    return isinstance(number, int) and number in places


def _only_placeholders(names: Mapping[Any, Any]) -> bool:
    return all(_UNNAMED.fullmatch(str(name).strip()) for name in names)


def _kind(value: Any) -> str:
    return {list: "list", str: "text", bool: "truth value"}.get(type(value), "number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
