"""What two models must have in common to be merged, and what is reconciled by a rule.

Decided from profiles alone; the two `config.json` are looked at where they lie beside the weights. One function decides
for the list of partners and for the merge, so that a partner that is proposed is one that can be merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.merge.modules import module_of
from auditor.merge.tables import OUTPUT_EMBEDDINGS, config_of, is_tied, tied_source
from auditor.merge.vocabulary import ROWS, common_rows
from auditor.models.checkpoint import HEAD
from store.records import Profile, Task, TensorInfo

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
"""The dtypes that are blended."""
COPIED = frozenset({"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"})
"""The dtypes that are copied from the suspect: a mean of indices or flags means nothing."""

POSITION_IDS = re.compile(r"(^|\.)position_ids$")
POOLER = re.compile(r"(^|\.)pooler\.dense\.(weight|bias)$")
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
    """How a candidate fits the suspect: what forbids a merge, what was reconciled, and by which rule.

    `rows[i]` is the candidate's row for the suspect's label i, and `permuted` the tensors that it applies to; None and
    empty where the order is the same. `left_out` are tensors of the suspect that the candidate has no part in.
    `tokens` is the number of token ids that mean the same, where the vocabularies differ. `tied` maps tensors that the
    candidate does not store to those that it uses in their place.
    """

    blockers: tuple[str, ...]
    reconciled: tuple[str, ...]
    rows: tuple[int, ...] | None = None
    permuted: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    tokens: int | None = None
    tied: Mapping[str, str] = field(default_factory=dict)


def match(suspect: Profile, candidate: Profile, config: Mapping[str, Any] | None = None) -> Match:
    """How a candidate partner fits the suspect.

    Args:
        config: the suspect's, where it is at hand; else it is read.
    """
    name = candidate.ref.reference
    if candidate.ref.digest and candidate.ref.digest == suspect.ref.digest:
        return Match((f"{name} is the suspect itself (same digest)",), ())
    if (candidate.architecture, candidate.model_type) != (suspect.architecture, suspect.model_type):
        return Match((f"{name} is a {_kind(candidate)}, the suspect {suspect.ref.reference} a {_kind(suspect)}",), ())
    blockers = [*_task_blockers(suspect, candidate)]
    rows, label_blockers, notes = _labels(suspect, candidate)
    permuted = left_out = frozenset[str]()
    if len(suspect.labels) != len(candidate.labels):
        left_out = frozenset(t.name for t in suspect.tensors if module_of(t.name) == "head")
    if rows is not None:
        permuted = frozenset(
            t.name for t in candidate.tensors if HEAD.search(t.name) and t.shape[:1] == (len(candidate.labels),)
        )
        if not any(n.endswith("weight") for n in permuted):
            label_blockers = [f"{name} has the suspect's labels in another order, but no known classifier to reorder"]
    blockers += label_blockers
    tokens = None
    alike = suspect.tensors == candidate.tensors
    if candidate.tokenizer_digest != suspect.tokenizer_digest or (not alike and _rows_differ(suspect, candidate)):
        tokens, vocabulary_blockers, vocabulary_notes = _vocabulary(suspect, candidate)
        blockers += vocabulary_blockers
        notes += vocabulary_notes
    blockers += _config_blockers(config_of(suspect) if config is None else config, candidate)
    tied = _tied(suspect, candidate)
    tensor_blockers: list[str] = []
    tensor_notes: list[str] = []
    if not alike or left_out or tied or any(t.dtype not in FLOATS | COPIED for t in suspect.tensors):
        tensor_blockers, tensor_notes = _tensors(suspect, candidate, left_out, tokens, tied)
    return Match(tuple(blockers + tensor_blockers), tuple(notes + tensor_notes), rows, permuted, left_out, tokens, tied)


def _rows_differ(suspect: Profile, candidate: Profile) -> bool:
    theirs = {t.name: t.shape for t in candidate.tensors}
    return any(
        ROWS.search(t.name) and t.name in theirs and theirs[t.name] != t.shape and theirs[t.name][1:] == t.shape[1:]
        for t in suspect.tensors
    )


def _vocabulary(suspect: Profile, candidate: Profile) -> tuple[int | None, list[str], list[str]]:
    """The shared token ids, blockers and notes where the vocabularies or their sizes differ."""
    name = candidate.ref.reference
    if candidate.tokenizer_digest == suspect.tokenizer_digest:
        ours = {t.name: t for t in suspect.tensors if ROWS.search(t.name) and t.shape}
        sizes = [
            (t.shape[0], ours[t.name].shape[0]) for t in candidate.tensors if t.name in ours and t.shape
        ]  # fmt: skip
        tokens = min((min(pair) for pair in sizes), default=0)
        theirs, own = next((pair for pair in sizes if pair[0] != pair[1]), (0, 0))
        return tokens, [], [
            f"{name} has {theirs} rows of embeddings, the suspect {own}: the first {tokens} are merged, the suspect's "
            "others are kept"
        ]  # fmt: skip
    if not _rows_differ(suspect, candidate):
        return None, [f"{name} has another tokenizer than the suspect {suspect.ref.reference}"], []
    found = common_rows(suspect, candidate)
    if isinstance(found, str):
        return None, [f"{name} {found}"], []
    return found, [], [
        f"{name} has a vocabulary of another size: the {found} tokens that both have are merged, the suspect's other "
        "rows and its tokenizer are kept"
    ]  # fmt: skip


def _tied(suspect: Profile, candidate: Profile) -> dict[str, str]:
    """Output embeddings that the suspect stores and the candidate ties to its input embeddings."""
    theirs = {t.name for t in candidate.tensors}
    found = {t.name: tied_source(t.name, candidate) for t in suspect.tensors if t.name not in theirs}
    return {name: source for name, source in found.items() if source is not None}


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
        words = f"{name} has {len(theirs)} labels {_listed(theirs)}, the suspect {len(ours)} {_listed(ours)}"
        if suspect.task is not Task.CLASSIFICATION or not ours or not theirs:
            return None, [words], []
        return None, [], [f"{words}: only its encoder is merged, the suspect's head is kept"]
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


def _tensors(
    suspect: Profile, candidate: Profile, left_out: frozenset[str], tokens: int | None, tied: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Blockers and notes that follow from the tensor inventories."""
    name = candidate.ref.reference
    ours = {t.name: t for t in suspect.tensors if t.name not in left_out}
    theirs = {t.name: t for t in candidate.tensors}
    theirs |= {key: theirs[source] for key, source in tied.items()}
    blockers: list[str] = []
    notes: list[str] = []
    shapes, casts = [], 0
    for key in ours.keys() & theirs.keys():
        mine, other = ours[key], theirs[key]
        if mine.dtype not in FLOATS | COPIED or other.dtype not in FLOATS | COPIED:
            which = mine.dtype if mine.dtype not in FLOATS | COPIED else other.dtype
            blockers.append(f"tensor {key} has dtype {which}, which cannot be merged")
        elif mine.shape != other.shape and not POSITION_IDS.search(key) and not _rows_shared(mine, other, tokens):
            shapes.append(f"tensor {key} is {_shape(other)} in {name} and {_shape(mine)} in the suspect")
        elif (mine.dtype in FLOATS) is not (other.dtype in FLOATS):
            blockers.append(f"tensor {key} is {other.dtype} in {name} and {mine.dtype} in the suspect")
        else:
            casts += mine.dtype != other.dtype
    missing = sorted(ours.keys() - theirs.keys())
    extra = sorted(theirs.keys() - ours.keys() - left_out)
    if left_out:
        extra = [key for key in extra if module_of(key) != "head"]
    duplicate = [key for key in extra if OUTPUT_EMBEDDINGS.search(key) and is_tied(suspect) and is_tied(candidate)]
    extra = [key for key in extra if key not in duplicate]
    blockers += _some(sorted(shapes))
    blockers += _some([f"tensor {key} is missing in {name}" for key in missing if not _reconciled(key)])
    blockers += _some([f"tensor {key} of {name} is unknown to the suspect" for key in extra if not _reconciled(key)])
    if any(POSITION_IDS.search(key) for key in missing + extra):
        notes.append(f"position ids are not in both the suspect and {name}: the suspect's files decide")
    if any(POOLER.search(key) for key in missing):
        notes.append(f"{name} has no pooler: it has no part in the merged one")
    if any(POOLER.search(key) for key in extra):
        notes.append(f"the pooler of {name} is left out: the suspect has none")
    notes += [f"{key} of {name} is tied to its {source}: that is merged in its place" for key, source in tied.items()]
    notes += [f"{key} of {name} is left out: it repeats the input embeddings, as in the suspect" for key in duplicate]
    if casts:
        notes.append(f"{casts} tensors of {name} have another dtype: the result is rounded once, to the suspect's")
    return blockers, notes


def _rows_shared(mine: TensorInfo, other: TensorInfo, tokens: int | None) -> bool:
    """Whether two tensors differ in nothing but the number of tokens."""
    return tokens is not None and bool(ROWS.search(mine.name)) and mine.shape[1:] == other.shape[1:]


def _reconciled(tensor: str) -> bool:
    return bool(POSITION_IDS.search(tensor) or POOLER.search(tensor))


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return lines
    return [*lines[:SHOWN], f"… and {len(lines) - SHOWN} tensors more like these"]


def _shape(tensor: TensorInfo) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"


def _config_blockers(ours: Mapping[str, Any], candidate: Profile) -> Iterator[str]:
    theirs = config_of(candidate)
    for key in FUNCTION_KEYS:
        if ours.get(key) != theirs.get(key) and key in ours and key in theirs:
            yield f"config {key} is {theirs[key]!r} in {candidate.ref.reference} and {ours[key]!r} in the suspect"
