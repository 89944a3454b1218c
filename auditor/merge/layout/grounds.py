"""What an adapter stands on: its base, as the adapter's task takes it.

Where a classifier's adapter was trained on a model that writes, or on an encoder without a head, PEFT's classes made a
classifier of the base first. The same is done here: architecture, tensor names and labels are those of the class for
sequence classification, and what such a class lacks a place for (the output embeddings) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from auditor.errors import IncompatibleError, ModelError
from auditor.merge.compatibility.compatibility import POSITION_IDS, SHOWN, Comparison
from auditor.merge.tensors.tables import Piece, Table
from auditor.models.files.adapter import Adapter
from auditor.models.files.checkpoint import HEAD
from auditor.models.files.names import place_of
from auditor.models.runtime.architectures import Skeleton, classifier_of
from store.records import Profile, Task, TensorInfo

CONFIG = "config.json"
KINDS: Mapping[str, tuple[str, ...]] = {
    "SEQ_CLS": ("ForSequenceClassification",),
    "TOKEN_CLS": ("ForTokenClassification",),
    "QUESTION_ANS": ("ForQuestionAnswering",),
    "SEQ_2_SEQ_LM": ("ForConditionalGeneration", "ForCausalLM"),
    "CAUSAL_LM": ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"),
}
"""PEFT's task types, and how the classes are called whose head they train."""

WRITERS = ("ForCausalLM", "LMHeadModel", "ForMaskedLM", "ForConditionalGeneration", "ForPreTraining")
"""Classes that have output embeddings."""


@dataclass(frozen=True)
class Ground:
    """A base under an adapter: its profile and tensors as the adapter's task takes them.

    `open` are tensors that it takes and does not have: the adapter holds them. `files` are files of the base that
    become others by that.
    """

    profile: Profile
    table: Table
    open: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it has output embeddings."""
        return self.profile.architecture.endswith(WRITERS)


def ground_of(name: str, adapter: Adapter, base: Profile, table: Table, by: Comparison) -> Ground:
    """The base as an adapter takes it.

    Args:
        name: the adapter's reference.
        table: the base's tensors.
        by: reads configs.

    Raises:
        IncompatibleError: the adapter is for another task than the base, or what it makes of the base lacks weights.
    """
    task = adapter.config.get("task_type")
    suffix = KINDS.get(task) if isinstance(task, str) else None
    if suffix is not None and base.architecture.endswith(suffix):
        if adapter.task is not Task.CLASSIFICATION or _labels(adapter) in (None, len(base.labels)):
            return Ground(base, table)
    elif suffix is not None and adapter.task is not Task.CLASSIFICATION and base.architecture.endswith(_KNOWN):
        raise IncompatibleError(
            f"{name} is an adapter of the task {task}, and the base {base.ref.reference} a {base.architecture}",
            hint="Give the base that it was trained on, with a head of its task.",
        )
    return _classifier(name, adapter, base, table, by) if adapter.task is Task.CLASSIFICATION else Ground(base, table)


_KNOWN = tuple(suffix for suffixes in KINDS.values() for suffix in suffixes)


def _labels(adapter: Adapter) -> int | None:
    """How many labels the adapter's classifier has; None where it holds none."""
    rows = [
        stored.info.shape[0]
        for key, stored in adapter.saved.items()
        if HEAD.search(key) and key.endswith("weight") and len(stored.info.shape) == 2
    ]
    return rows[-1] if rows else None


def _classifier(name: str, adapter: Adapter, base: Profile, table: Table, by: Comparison) -> Ground:
    """The base as its family's class for sequence classification, with as many labels as the adapter's head."""
    count = _labels(adapter)
    if count is None:
        raise IncompatibleError(
            f"{name} is a classifier's adapter and holds no classifier, and its base {base.ref.reference} has none "
            f"(it is a {base.architecture})",
            hint="Give the base that has the classifier, or save the adapter with modules_to_save.",
        )
    config = by.configs.of(base)
    named = _names(config, count)
    skeleton = _skeleton(base, named["id2label"])
    found: dict[str, Piece] = {}
    missing = []
    for tensor, shape in skeleton.shapes.items():
        place = place_of(tensor, table)
        if place is not None and table[place].shape == shape:
            found[tensor] = table[place]
        elif tensor not in adapter.saved and tensor not in skeleton.tied and not POSITION_IDS.search(tensor):
            missing.append(tensor)
    if missing:
        raise IncompatibleError(
            f"as a {skeleton.name}, which {name} takes it for, the base {base.ref.reference} lacks "
            f"{_listed(missing)}, and the adapter does not hold {'them' if len(missing) > 1 else 'it'}: no two loads "
            "would be the same model",
            hint="Give the base that has these weights, or save the adapter with modules_to_save that name them.",
        )
    used = {(piece.region.file, piece.region.name) for piece in found.values()}
    left = sorted(
        key
        for key, piece in table.items()
        if (piece.region.file, piece.region.name) not in used and key not in adapter.saved
    )
    tensors = tuple(TensorInfo(key, piece.shape, piece.dtype) for key, piece in sorted(found.items()))
    profile = replace(
        base,
        architecture=skeleton.name,
        task=Task.CLASSIFICATION,
        labels=tuple(named["id2label"].values()),
        problem_type=None,
        tensors=tensors,
    )
    notes = [
        f"{name} makes a classifier of its base {base.ref.reference} ({base.architecture}): as a {skeleton.name} with "
        f"the labels {', '.join(list(named['id2label'].values())[:6])}{', …' if count > 6 else ''}"
        + ("; an adapter does not name them" if "id2label" not in config else "")
    ]
    if left:
        notes.append(f"{len(left)} tensors of the base have no place in a {skeleton.name}: left out ({_listed(left)})")
    made = {**config, **named, "architectures": [skeleton.name]}
    for key in ("num_labels", "_num_labels"):
        made.pop(key, None)
    still = frozenset(skeleton.shapes.keys() - found.keys())
    return Ground(
        profile, found, still, {CONFIG: (json.dumps(made, indent=2, sort_keys=True) + "\n").encode()}, tuple(notes)
    )


def _names(config: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The config's own labels where there are so many, else LABEL_0, LABEL_1, …"""
    stated = config.get("id2label")
    if isinstance(stated, dict) and sorted(stated) == sorted(str(i) for i in range(count)):
        names = [str(stated[str(i)]) for i in range(count)]
    else:
        names = [f"LABEL_{i}" for i in range(count)]
    return {
        "id2label": {str(i): label for i, label in enumerate(names)},
        "label2id": {label: i for i, label in enumerate(names)},
    }


def _skeleton(base: Profile, labels: Mapping[str, str]) -> Skeleton:
    """The family's class for sequence classification, with these labels by number."""
    try:
        return classifier_of(base, {int(number): label for number, label in labels.items()})
    except ModelError as error:
        raise IncompatibleError(
            f"no classifier can be made of the base {base.ref.reference} ({base.architecture}): {error}"
        ) from error


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
