"""Tensor inventories, each kept once however many models share it.

A model has hundreds of tensors of few kinds (shape and dtype), so that a kind is written once and each tensor names its
own: half the time to read, which is what a list of a thousand models spends most of its time on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.codec import DecodeError
from store.records import TensorInfo
from store.tables import InventoryRow, ModelRow

AT_ONCE = 500
"""Ids in one query: databases limit the parameters of a statement."""


def store(session: Session, tensors: Sequence[TensorInfo]) -> int:
    """The id of the inventory's row, made where there is none."""
    document = pack(tensors)
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    row = session.scalar(select(InventoryRow).where(InventoryRow.digest == digest))
    if row is None:
        row = InventoryRow(digest=digest, tensors=document)
        session.add(row)
        session.flush()
    return row.id


def read(session: Session, ids: Collection[int]) -> dict[int, tuple[TensorInfo, ...]]:
    """Inventories by id."""
    wanted = sorted(ids)
    inventories: dict[int, tuple[TensorInfo, ...]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = InventoryRow.id.in_(wanted[start : start + AT_ONCE])
        for inventory_id, document in session.execute(select(InventoryRow.id, InventoryRow.tensors).where(some)):
            inventories[inventory_id] = unpack(document)
    return inventories


def drop_unused(session: Session, inventory_id: int) -> None:
    """Deletes an inventory that no model has."""
    used = select(ModelRow.id).where(ModelRow.inventory_id == inventory_id).exists()
    session.execute(delete(InventoryRow).where(InventoryRow.id == inventory_id, ~used))


def pack(tensors: Sequence[TensorInfo]) -> dict[str, Any]:
    """The inventory as plain values."""
    kinds: dict[tuple[tuple[int, ...], str], int] = {}
    which = [kinds.setdefault((tensor.shape, tensor.dtype), len(kinds)) for tensor in tensors]
    return {
        "names": [tensor.name for tensor in tensors],
        "kinds": [[list(shape), dtype] for shape, dtype in kinds],
        "which": which,
    }


def unpack(document: Any) -> tuple[TensorInfo, ...]:
    """The inventory that `pack` described.

    Raises:
        DecodeError: the document does not fit.
    """
    try:
        kinds = [(tuple(shape), dtype) for shape, dtype in document["kinds"]]
        pairs = zip(document["names"], document["which"], strict=True)
        return tuple(TensorInfo(name, *kinds[index]) for name, index in pairs)
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise DecodeError(f"a tensor inventory does not fit: {error}") from error
