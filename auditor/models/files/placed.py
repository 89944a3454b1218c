"""Where an adapter's changes go in its base: tensor by tensor, or why they have no place there.

What comes out is what peft's `merge_and_unload` gives, or it is refused: a tensor that the base has no place for is
never appended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.errors import IncompatibleError
from auditor.models.files.adapter import ADAPTER_WEIGHTS, Adapter, Factors, TokenRows
from auditor.models.files.names import INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS, SHARED_EMBEDDINGS, place_of
from auditor.models.files.safetensors import StoredTensor
from probes.reading import open_regular
from store.records import Profile

TRANSPOSED = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp"})
"""Model types with layers (Conv1D) that hold weights as inputs × outputs: a change is turned there."""
TURNED = frozenset({"c_attn", "q_attn", "c_proj", "c_fc"})
"""The names of those layers."""
RESIZED = (
    "Where the vocabulary was extended, extend the base's as for training (resize_token_embeddings), merge the adapter "
    "into it with peft (merge_and_unload), save it with its tokenizer and give that directory."
)


@dataclass(frozen=True, slots=True)
class Change:
    """What an adapter makes of one tensor of its base.

    `whole` stands in its place, `factors` are added to what stands there, and then `rows` replace some of its rows.
    """

    whole: StoredTensor | None = None
    factors: Factors | None = None
    rows: TokenRows | None = None


@dataclass(frozen=True, slots=True)
class Under:
    """A base as changes are placed in it.

    Attributes:
        reference: what the user calls it.
        shapes: of its tensors, by name.
        open: tensors that it takes and does not have: an adapter holds them.
        tied: says whether its output embeddings are its input's.
        repeats: says whether two of its tensors hold the same bytes.
    """

    reference: str
    model_type: str
    shapes: Mapping[str, tuple[int, ...]]
    open: frozenset[str]
    tied: Callable[[], bool]
    repeats: Callable[[str, str], bool]


def changes_in(adapter: Profile, found: Adapter, base: Under) -> dict[str, Change]:
    """An adapter's changes by the names of the base's tensors, and of those that it adds to it.

    Raises:
        IncompatibleError: the adapter changes a tensor that the base has not, that has another shape, or that is tied
            to another one.
    """
    name, shapes = adapter.ref.reference, base.shapes
    tied = _refuse_untying(adapter, found, base)
    changes: dict[str, Change] = {}
    for key, stored in found.saved.items():
        place = place_of(key, shapes)
        if place is None:
            if key in base.open:
                changes[key] = Change(whole=stored)
                continue
            if OUTPUT_EMBEDDINGS.search(key) and tied:
                continue  # the saved input embeddings once more, as `_refuse_untying` saw
            raise IncompatibleError(
                f"{name} holds {key}, for which the base {base.reference} has no place",
                hint="Give the base that it was trained on; an adapter that makes a classifier of its base must say so "
                "(task_type SEQ_CLS in adapter_config.json).",
            )
        if shapes[place] != stored.info.shape:
            raise IncompatibleError(_other_shape(name, key, stored.info.shape, shapes[place]), hint=RESIZED)
        changes[place] = Change(whole=stored)
    for key, factors in found.factors.items():
        place = place_of(key, shapes)
        if place is None:
            raise IncompatibleError(
                f"{name} changes {key}, which the base has not",
                hint=f"Give the base that it was trained on; {base.reference} is another model.",
            )
        if base.model_type in TRANSPOSED and key.removesuffix(".weight").rpartition(".")[2] in TURNED:
            factors = replace(factors, turned=True)
        if shapes[place] != factors.shape:
            raise IncompatibleError(
                f"{name} changes {key} as {factors.shape}; in the base it is {shapes[place]}",
                hint=f"Give the base that it was trained on; {base.reference} is another model, or one whose "
                "vocabulary was changed since.",
            )
        changes[place] = replace(changes.get(place, Change()), factors=factors)
    for key, rows in found.tokens.items():
        shape = rows.stored.info.shape
        for place in _embeddings(key, base, tied):
            whole = shapes[place]
            if len(whole) != 2 or whole[1] != shape[1] or max(rows.indices, default=0) >= whole[0]:
                raise IncompatibleError(
                    f"{name} replaces rows of {key} up to {max(rows.indices, default=0)}, of width {shape[1]}; in the "
                    f"base it is {whole}",
                    hint=RESIZED,
                )
            if place in changes:
                raise IncompatibleError(f"{name} changes {place} in two ways: by rows and otherwise")
            changes[place] = Change(rows=rows)
    return changes


def _other_shape(name: str, key: str, ours: tuple[int, ...], base: tuple[int, ...]) -> str:
    embeddings = INPUT_EMBEDDINGS.search(key) or OUTPUT_EMBEDDINGS.search(key)
    if embeddings and ours[1:] == base[1:]:
        return f"{name} holds {key} with {ours[0]} rows (tokens); in the base it has {base[0]}"
    return f"{name} holds {key} as {ours}; in the base it is {base}"


def _embeddings(key: str, base: Under, tied: bool) -> Iterator[str]:
    """The embeddings whose rows are trained, and every copy of them that the base stores because they are tied."""
    place = place_of(key, base.shapes)
    if place is None:
        raise IncompatibleError(f"rows of {key} were trained, which the base {base.reference} has not")
    yield place
    if not INPUT_EMBEDDINGS.search(place):
        return
    for other in base.shapes:
        copy = INPUT_EMBEDDINGS.search(other) or (tied and OUTPUT_EMBEDDINGS.search(other))
        if copy and other != place and base.repeats(other, place):
            yield other


def _refuse_untying(adapter: Profile, found: Adapter, base: Under) -> bool:
    """Refuses what gives embeddings other values than those that are the same by the base's config or architecture.

    Returns:
        Whether the output embeddings are the input's, where that matters.
    """
    keys = (*found.saved, *found.factors, *found.tokens)
    if not any(INPUT_EMBEDDINGS.search(key) or OUTPUT_EMBEDDINGS.search(key) for key in keys):
        return False
    tied = base.tied()
    shared = any(SHARED_EMBEDDINGS.search(key) for key in base.shapes if key.endswith("shared.weight"))
    if not tied and not shared:
        return tied
    touched = [
        key
        for key in (*found.saved, *found.factors)
        if INPUT_EMBEDDINGS.search(key) or (tied and OUTPUT_EMBEDDINGS.search(key))
    ]
    touched += [
        key
        for key in found.tokens
        if (tied and OUTPUT_EMBEDDINGS.search(key)) or (shared and not key.endswith("shared.weight"))
    ]
    if not touched:
        return tied
    both = {bool(INPUT_EMBEDDINGS.search(key)) for key in touched} == {True, False} and not shared
    whole = [found.saved[key] for key in touched if key in found.saved]
    if not both or len(whole) < len(touched) or not _alike(adapter, whole):
        raise IncompatibleError(
            f"{adapter.ref.reference} gives {touched[0]} other values than what it is tied to in the base "
            f"{base.reference}: merged, these embeddings could not all be the adapter's",
            hint="Train it with ensure_weight_tying=True, or untie the base, merge with peft and give that model.",
        )
    return tied


def _alike(adapter: Profile, stored: Sequence[StoredTensor]) -> bool:
    """Whether an adapter's tensors hold the same bytes."""
    contents = set()
    with open_regular(Path(adapter.ref.path) / ADAPTER_WEIGHTS) as file:
        for tensor in stored:
            file.seek(tensor.begin)
            contents.add(hashlib.sha256(file.read(tensor.end - tensor.begin)).digest())
    return len(contents) == 1
