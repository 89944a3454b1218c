"""A base with an adapter's changes, as the whole model that it makes: its tensors, and its profile.

What comes out is what peft's `merge_and_unload` gives, or it is refused: a tensor that the base has no place for is
never appended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from auditor.errors import AuditorError, IncompatibleError
from auditor.merge.compatibility.changes import region_of
from auditor.merge.compatibility.compatibility import Comparison
from auditor.merge.layout.grounds import Ground
from auditor.merge.layout.rounding import rounding_note
from auditor.merge.tensors.tables import (
    INPUT_EMBEDDINGS,
    OUTPUT_EMBEDDINGS,
    SHARED_EMBEDDINGS,
    Low,
    Piece,
    Rows,
    Table,
    place_of,
)
from auditor.merge.tensors.vocabulary import ROWS
from auditor.models.files.adapter import ADAPTER_WEIGHTS, Adapter
from auditor.models.files.origin import same_name
from auditor.models.files.profile import read_profile
from auditor.models.files.safetensors import StoredTensor
from auditor.models.files.sameness import same_weights
from store.records import ModelRef, Profile, TensorInfo

TRANSPOSED = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp"})
"""Model types with layers (Conv1D) that hold weights as inputs × outputs: a change has to be turned there."""
TURNED = frozenset({"c_attn", "q_attn", "c_proj", "c_fc"})
"""The names of those layers."""


def adapted_profile(adapter: Profile, found: Adapter, ground: Ground) -> Profile:
    """An adapter as the whole model that it makes of its base: what is matched with other models.

    Its config and tokenizer are the base's, and so is the place where they are looked for.
    """
    base = ground.profile
    ref = ModelRef(adapter.ref.reference, base.ref.path, adapter.ref.digest, adapter.ref.revision)
    more = [
        TensorInfo(name, stored.info.shape, stored.info.dtype)
        for name, stored in found.saved.items()
        if place_of(name, ground.table) is None and name in ground.open
    ]
    return replace(base, ref=ref, base=adapter.base, licence=adapter.licence, tensors=(*base.tensors, *more))


def adapted_table(adapter: Profile, found: Adapter, owner: int, ground: Ground, by: Comparison) -> dict[str, Piece]:
    """The tensors of a base with an adapter's changes, under the base's names.

    Raises:
        IncompatibleError: the adapter changes a tensor that the base has not, that has another shape, or that is tied
            to another one.
    """
    name, base = adapter.ref.reference, ground.table
    table = dict(base)
    _refuse_untying(adapter, found, ground, by)
    for key, stored in found.saved.items():
        place = place_of(key, base)
        if place is None:
            if key in ground.open:
                table[key] = Piece(owner, region_of(stored))
                continue
            if OUTPUT_EMBEDDINGS.search(key) and ground.writes and by.configs.is_tied(ground.profile):
                continue  # the saved input embeddings once more, as `_refuse_untying` saw
            raise IncompatibleError(
                f"{name} holds {key}, for which the base {ground.profile.ref.reference} has no place",
                hint="Give the base that it was trained on; an adapter that makes a classifier of its base must say so "
                "(task_type SEQ_CLS in adapter_config.json).",
            )
        if base[place].shape != stored.info.shape:
            raise IncompatibleError(_other_shape(name, key, stored.info.shape, base[place].shape), hint=RESIZED)
        table[place] = Piece(owner, region_of(stored))
    for key, factors in found.factors.items():
        place = place_of(key, base)
        if place is None:
            raise IncompatibleError(f"{name} changes {key}, which the base has not")
        if ground.profile.model_type in TRANSPOSED and key.removesuffix(".weight").rpartition(".")[2] in TURNED:
            raise IncompatibleError(
                f"{name} changes {key}, stored as inputs × outputs ({ground.profile.model_type}): that is not read",
                hint="Merge it into its base with peft (merge_and_unload) and give that model.",
            )
        if base[place].shape != factors.shape:
            raise IncompatibleError(f"{name} changes {key} as {factors.shape}; in the base it is {base[place].shape}")
        table[place] = replace(
            table[place], low=Low(owner, region_of(factors.down), region_of(factors.up), factors.scale)
        )
    for key, rows in found.tokens.items():
        shape = rows.stored.info.shape
        for place in _embeddings(key, ground, by):
            whole = base[place].shape
            if len(whole) != 2 or whole[1] != shape[1] or max(rows.indices, default=0) >= whole[0]:
                raise IncompatibleError(
                    f"{name} replaces rows of {key} up to {max(rows.indices, default=0)}, of width {shape[1]}; in the "
                    f"base it is {whole}",
                    hint=RESIZED,
                )
            if table[place] != base[place]:
                raise IncompatibleError(f"{name} changes {place} in two ways: by rows and otherwise")
            table[place] = replace(table[place], tokens=Rows(owner, region_of(rows.stored), rows.indices))
    return table


RESIZED = (
    "Where the vocabulary was extended, extend the base's as for training (resize_token_embeddings), merge the adapter "
    "into it with peft (merge_and_unload), save it with its tokenizer and give that directory."
)


def _other_shape(name: str, key: str, ours: tuple[int, ...], base: tuple[int, ...]) -> str:
    if ROWS.search(key) and ours[1:] == base[1:]:
        return f"{name} holds {key} with {ours[0]} rows (tokens); in the base it has {base[0]}"
    return f"{name} holds {key} as {ours}; in the base it is {base}"


def _embeddings(key: str, ground: Ground, by: Comparison) -> Iterator[str]:
    """The embeddings whose rows are trained, and every copy of them that the base stores because they are tied."""
    place = place_of(key, ground.table)
    if place is None:
        raise IncompatibleError(f"rows of {key} were trained, which the base {ground.profile.ref.reference} has not")
    yield place
    if not INPUT_EMBEDDINGS.search(place):
        return
    tied = ground.writes and by.configs.is_tied(ground.profile)
    for other, piece in ground.table.items():
        copy = INPUT_EMBEDDINGS.search(other) or (tied and OUTPUT_EMBEDDINGS.search(other))
        source = ground.table[place].region.name
        if copy and other != place and by.repeats(ground.profile, piece.region.name, source):
            yield other


def _refuse_untying(adapter: Profile, found: Adapter, ground: Ground, by: Comparison) -> None:
    """Refuses what gives embeddings other values than those that are the same by the base's config or architecture."""
    tied = ground.writes and by.configs.is_tied(ground.profile)
    shared = any(SHARED_EMBEDDINGS.search(key) for key in ground.table if key.endswith("shared.weight"))
    if not tied and not shared:
        return
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
        return
    both = {bool(INPUT_EMBEDDINGS.search(key)) for key in touched} == {True, False} and not shared
    whole = [found.saved[key] for key in touched if key in found.saved]
    if not both or len(whole) < len(touched) or not _alike(adapter, whole):
        raise IncompatibleError(
            f"{adapter.ref.reference} gives {touched[0]} other values than what it is tied to in the base "
            f"{ground.profile.ref.reference}: merged, these embeddings could not all be the adapter's",
            hint="Train it with ensure_weight_tying=True, or untie the base, merge with peft and give that model.",
        )


def _alike(adapter: Profile, stored: Sequence[StoredTensor]) -> bool:
    """Whether an adapter's tensors hold the same bytes."""
    contents = set()
    with (Path(adapter.ref.path) / ADAPTER_WEIGHTS).open("rb") as file:
        for tensor in stored:
            file.seek(tensor.begin)
            contents.add(hashlib.sha256(file.read(tensor.end - tensor.begin)).digest())
    return len(contents) == 1


def adapter_notes(
    adapter: Profile, found: Adapter, ground: Ground, base: Profile, table: Table, by: Comparison
) -> list[str]:
    """What is to be said of an adapter on the given base: how they fit, and what rounding loses.

    Args:
        table: the base's tensors with the adapter's changes.

    Raises:
        IncompatibleError, ModelError: as `judge_base` and `rounding_note`.
    """
    name = adapter.ref.reference
    notes = [f"{name} is an adapter: its changes are added to the base {base.ref.reference}"]
    notes += [*judge_base(adapter, found, base, by), *ground.notes]
    loss = rounding_note(name, Path(adapter.ref.path), found, table, Path(base.ref.path))
    return [*notes, loss] if loss else notes


def judge_base(adapter: Profile, found: Adapter, base: Profile, by: Comparison) -> list[str]:
    """What is to be said of an adapter's stated base beside the one that is given.

    Raises:
        IncompatibleError: they are known to be two, or adapter and base have different vocabularies.
    """
    notes = []
    name, given = adapter.ref.reference, base.ref.reference
    if found.base is None:
        notes.append(f"{name} does not state its base: that it is {given} was not checked")
    else:
        same = _is_stated(found.base, base)
        if same is False:
            raise IncompatibleError(
                f"{name} is an adapter for {found.base}, and the given base {given} is another",
                hint="Give that base with --base; where the two hold the same weights under two names, correct "
                "base_model_name_or_path in adapter_config.json.",
            )
        if same is None:
            notes.append(f"{name} states the base {found.base}: that {given} holds the same weights was not checked")
    revision = found.config.get("revision")
    if isinstance(revision, str) and base.ref.revision and revision not in (base.ref.revision, "main"):
        notes.append(f"{name} states revision {revision} of its base; the given one is at {base.ref.revision}")
    if adapter.tokenizer_digest not in ("", base.tokenizer_digest):
        shared = by.vocabularies.shared(base, adapter)
        if shared.why is not None or shared.tokens is not None:
            why = (shared.why or "").partition(": ")[
                2
            ] or f"the two have {shared.tokens} tokens in common, and one has more"
            raise IncompatibleError(f"{name} has another tokenizer than its base {given}: {why}", hint=RESIZED)
    return notes


def _is_stated(stated: str, base: Profile) -> bool | None:
    """Whether the given base is the stated one; None where only the names differ, and a name proves nothing."""
    if base.ref.revision is not None and same_name(stated, base.ref.reference):
        return True
    place = Path(stated).expanduser()
    if place.resolve() == Path(base.ref.path):
        return True
    if (place / "config.json").is_file():
        try:
            return same_weights(read_profile(place, hash_weights=False), base)
        except AuditorError:
            return None
    hub = HUB_NAME.fullmatch(stated) is not None
    return False if hub and base.ref.revision is not None else None


HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
