"""A base with an adapter's changes, as the whole model that it makes: its tensors, and its profile.

What comes out is what peft's `merge_and_unload` gives, or it is refused: a tensor that the base has no place for is
never appended.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from auditor.errors import AuditorError, IncompatibleError
from auditor.merge.compatibility.changes import region_of
from auditor.merge.compatibility.compatibility import Comparison
from auditor.merge.layout.grounds import Ground
from auditor.merge.layout.rounding import rounding_note
from auditor.merge.tensors.tables import Low, Piece, Rows, Table
from auditor.models.files.adapter import Adapter
from auditor.models.files.names import place_of
from auditor.models.files.origin import same_name
from auditor.models.files.placed import RESIZED, Under, changes_in
from auditor.models.files.profile import read_profile
from auditor.models.files.sameness import same_weights
from store.records import ModelRef, Profile, TensorInfo


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
    base = ground.table

    def repeated(one: str, other: str) -> bool:
        return by.repeats(ground.profile, base[one].region.name, base[other].region.name)

    under = Under(
        ground.profile.ref.reference,
        ground.profile.model_type,
        {name: piece.shape for name, piece in base.items()},
        ground.open,
        lambda: ground.writes and by.configs.is_tied(ground.profile),
        repeated,
    )
    table = dict(base)
    for place, change in changes_in(adapter, found, under).items():
        piece = Piece(owner, region_of(change.whole)) if change.whole is not None else base[place]
        if (low := change.factors) is not None:
            piece = replace(piece, low=Low(owner, region_of(low.down), region_of(low.up), low.scale, low.turned))
        if (rows := change.rows) is not None:
            piece = replace(piece, tokens=Rows(owner, region_of(rows.stored), rows.indices))
        table[place] = piece
    return table


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
