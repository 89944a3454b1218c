"""What two models must have in common to be merged, and what is reconciled by a rule.

Decided from profiles alone; the two `config.json` are looked at where they lie beside the weights. One function decides
for the list of partners and for the merge, so that a partner that is proposed is one that can be merged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.records import Profile, TensorInfo

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
"""The dtypes that are blended."""
COPIED = frozenset({"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"})
"""The dtypes that are copied from the suspect: a mean of indices or flags means nothing."""

POSITION_IDS = re.compile(r"(^|\.)position_ids$")
POOLER = re.compile(r"(^|\.)pooler\.dense\.(weight|bias)$")
HEAD = re.compile(
    r"(^|\.)(classifier|score|logits_proj|classification_head|sequence_summary)"
    r"(\.(out_proj|linear_out|summary))?\.(weight|bias)$"
)
UNNAMED = re.compile(r"label_\d+", re.IGNORECASE)

FUNCTION_KEYS = (
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "activation",
    "activation_function",
    "hidden_activation",
    "position_embedding_type",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
)
"""Settings that leave every shape alone and yet make another function of the same weights."""

SHOWN = 3
"""So many differing tensors are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a candidate fits the suspect: what forbids a merge, what was reconciled, and how its label rows are ordered.

    `rows[i]` is the candidate's row for the suspect's label i, and `permuted` the tensors that it applies to; None and
    empty where the order is the same.
    """

    blockers: tuple[str, ...]
    reconciled: tuple[str, ...]
    rows: tuple[int, ...] | None = None
    permuted: frozenset[str] = frozenset()


def match(suspect: Profile, candidate: Profile) -> Match:
    """How a candidate partner fits the suspect."""
    name = candidate.ref.reference
    if candidate.ref.digest == suspect.ref.digest:
        return Match((f"{name} is the suspect itself (same digest)",), ())
    if (candidate.architecture, candidate.model_type) != (suspect.architecture, suspect.model_type):
        return Match((f"{name} is a {_kind(candidate)}, the suspect {suspect.ref.reference} a {_kind(suspect)}",), ())
    blockers = [*_task_blockers(suspect, candidate)]
    notes: list[str] = []
    rows, label_blockers, label_notes = _labels(suspect, candidate)
    permuted: frozenset[str] = frozenset()
    if rows is not None:
        permuted = frozenset(
            t.name for t in candidate.tensors if HEAD.search(t.name) and t.shape[:1] == (len(candidate.labels),)
        )
        if not any(n.endswith("weight") for n in permuted):
            label_blockers = [f"{name} has the suspect's labels in another order, but no known classifier to reorder"]
    blockers += label_blockers
    notes += label_notes
    if candidate.tokenizer_digest != suspect.tokenizer_digest:
        blockers.append(f"{name} has another tokenizer than the suspect {suspect.ref.reference}")
    blockers += _config_blockers(suspect, candidate)
    tensor_blockers, tensor_notes = _tensors(suspect, candidate)
    return Match(tuple(blockers + tensor_blockers), tuple(notes + tensor_notes), rows, permuted)


def _kind(profile: Profile) -> str:
    return f"{profile.architecture} ({profile.model_type})"


def _task_blockers(suspect: Profile, candidate: Profile) -> Iterator[str]:
    if candidate.task is not suspect.task:
        yield f"{candidate.ref.reference} is for {candidate.task}, the suspect for {suspect.task}"
    special = {"multi_label_classification", "regression"}
    kinds = [p.problem_type if p.problem_type in special else None for p in (suspect, candidate)]
    if kinds[0] != kinds[1]:
        yield (
            f"{candidate.ref.reference} solves {candidate.problem_type or 'single-label classification'}, "
            f"the suspect {suspect.problem_type or 'single-label classification'}"
        )


def _labels(suspect: Profile, candidate: Profile) -> tuple[tuple[int, ...] | None, list[str], list[str]]:
    """The row order, blockers and notes that follow from the label names."""
    ours, theirs, name = suspect.labels, candidate.labels, candidate.ref.reference
    if len(ours) != len(theirs):
        return None, [f"{name} has {len(theirs)} labels {_listed(theirs)}, the suspect {len(ours)} {_listed(ours)}"], []
    unnamed = [bool(labels) and all(UNNAMED.fullmatch(label) for label in labels) for labels in (ours, theirs)]
    if any(unnamed):
        whose = "both" if all(unnamed) else ("the suspect's" if unnamed[0] else f"those of {name}")
        return None, [], [f"labels unnamed ({whose}): assumed same order in {name}"]
    if ours == theirs:
        return None, [], []
    keys, candidate_keys = [label.strip().casefold() for label in ours], [label.strip().casefold() for label in theirs]
    if len(set(keys)) < len(keys) or len(set(candidate_keys)) < len(candidate_keys):
        keys, candidate_keys = list(ours), list(theirs)
    if sorted(keys) != sorted(candidate_keys) or len(set(keys)) < len(keys):
        return None, [f"{name} has the labels {_listed(theirs)}, the suspect {_listed(ours)}"], []
    if keys == candidate_keys:
        return None, [], [f"labels of {name} are spelt otherwise: {_listed(theirs)}"]
    rows = tuple(candidate_keys.index(key) for key in keys)
    return rows, [], [f"labels of {name} stand in another order {_listed(theirs)}: its classifier rows are reordered"]


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:6])
    return f"({shown}, …)" if len(labels) > 6 else f"({shown})"


def _tensors(suspect: Profile, candidate: Profile) -> tuple[list[str], list[str]]:
    """Blockers and notes that follow from the tensor inventories."""
    name = candidate.ref.reference
    if suspect.tensors == candidate.tensors and all(t.dtype in FLOATS | COPIED for t in suspect.tensors):
        return [], []
    ours = {t.name: t for t in suspect.tensors}
    theirs = {t.name: t for t in candidate.tensors}
    blockers: list[str] = []
    notes: list[str] = []
    shapes, casts = [], 0
    for key in ours.keys() & theirs.keys():
        mine, other = ours[key], theirs[key]
        if mine.dtype not in FLOATS | COPIED or other.dtype not in FLOATS | COPIED:
            which = mine.dtype if mine.dtype not in FLOATS | COPIED else other.dtype
            blockers.append(f"tensor {key} has dtype {which}, which cannot be merged")
        elif mine.shape != other.shape and not POSITION_IDS.search(key):
            shapes.append(f"tensor {key} is {_shape(other)} in {name} and {_shape(mine)} in the suspect")
        elif (mine.dtype in FLOATS) is not (other.dtype in FLOATS):
            blockers.append(f"tensor {key} is {other.dtype} in {name} and {mine.dtype} in the suspect")
        else:
            casts += mine.dtype != other.dtype
    missing = sorted(ours.keys() - theirs.keys())
    extra = sorted(theirs.keys() - ours.keys())
    blockers += _some(sorted(shapes))
    blockers += _some([f"tensor {key} is missing in {name}" for key in missing if not _reconciled(key)])
    blockers += _some([f"tensor {key} of {name} is unknown to the suspect" for key in extra if not _reconciled(key)])
    if any(POSITION_IDS.search(key) for key in missing + extra):
        notes.append(f"position ids are not in both the suspect and {name}: the suspect's files decide")
    if any(POOLER.search(key) for key in missing):
        notes.append(f"{name} has no pooler: it has no part in the merged one")
    if any(POOLER.search(key) for key in extra):
        notes.append(f"the pooler of {name} is left out: the suspect has none")
    if casts:
        notes.append(f"{casts} tensors of {name} have another dtype: the result is rounded once, to the suspect's")
    return blockers, notes


def _reconciled(tensor: str) -> bool:
    return bool(POSITION_IDS.search(tensor) or POOLER.search(tensor))


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return lines
    return [*lines[:SHOWN], f"… and {len(lines) - SHOWN} tensors more like these"]


def _shape(tensor: TensorInfo) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"


def _config_blockers(suspect: Profile, candidate: Profile) -> Iterator[str]:
    ours, theirs = _config(suspect), _config(candidate)
    if ours is None or theirs is None:
        return
    for key in FUNCTION_KEYS:
        if ours.get(key) != theirs.get(key) and key in ours and key in theirs:
            yield f"config {key} is {theirs[key]!r} in {candidate.ref.reference} and {ours[key]!r} in the suspect"


def _config(profile: Profile) -> dict[str, Any] | None:
    """The model's config.json; None where it is out of reach: the merge reads it again and says so."""
    try:
        config = json.loads((Path(profile.ref.path) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None
