"""The catalogued models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from store import codec, inventory
from store.audits import stamp_of, stamps
from store.database import Database
from store.records import CatalogEntry, Profile, Stamp, Task, TensorInfo
from store.records.catalog import WORSE
from store.scans import latest_summary
from store.tables import ModelRow

DIGEST_PREFIX = re.compile(r"[0-9a-f]{8,64}")

ORDERS = ("name", "architecture", "task", "parameters", "verdict", "asr", "cacc", "scanned", "added")


class UnknownModel(LookupError):
    """No model of this id is in the catalog."""

    def __init__(self, model_id: int) -> None:
        super().__init__(f"no model with id {model_id} is in the catalog")


class NameTaken(ValueError):
    """Another model has this name, or it is no name at all."""


class Models:
    """The catalogued models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, profile: Profile, *, name: str | None = None, tags: Iterable[str] = (), planted: str | None = None
    ) -> CatalogEntry:
        """Adds a model. One of the same digest at the same path is kept, with its profile renewed and the tags added.

        An adapter on its base takes the place of the adapter alone, which nobody can have scanned; and stays where the
        adapter alone is added again.

        Args:
            profile: what its files say.
            name: unique; by default the directory's or the hub's name, with -2, -3, … where that is taken.
            tags: the user's words for it.
            planted: what backdoor is known to be in it.

        Raises:
            NameTaken: another model has the given name.
        """
        with self._database.writing() as session:
            row = session.scalar(
                select(ModelRow).where(ModelRow.digest == profile.ref.digest, ModelRow.path == profile.ref.path)
            )
            if row is None:
                row = _without_base(session, profile) if profile.parts else _with_base(session, profile)
                if row is not None and not profile.parts:
                    row.tags = _tidy([*row.tags, *tags])
                    return _entries(session, [row])[0]
            if row is None:
                row = ModelRow(
                    name=_free_name(session, default_name(profile)) if name is None else _checked(session, name, None),
                    digest=profile.ref.digest,
                    path=profile.ref.path,
                    added=datetime.now(UTC).isoformat(timespec="seconds"),
                    tags=_tidy(tags),
                    planted=planted,
                    **latest_summary(session, profile.ref.digest),
                )
            else:
                row.name = row.name if name is None else _checked(session, name, row.id)
                row.tags = _tidy([*row.tags, *tags])
                row.planted = row.planted if planted is None else planted
            row.reference = profile.ref.reference
            row.architecture, row.task = profile.architecture, str(profile.task)
            row.parameters = profile.parameters
            replaced, row.inventory_id = row.inventory_id, inventory.store(session, profile.tensors)
            row.profile = codec.encode(replace(profile, tensors=()))
            row.search_text = _search_text(row)
            session.add(row)
            session.flush()
            if replaced is not None:
                inventory.drop_unused(session, replaced)
            return _entry(row, profile.tensors, stamps(session, {row.digest}).get(row.digest))

    def get(self, model_id: int) -> CatalogEntry | None:
        """The model of this id."""
        return self._first(select(ModelRow).where(ModelRow.id == model_id))

    def by_digest(self, digest: str) -> CatalogEntry | None:
        """The model of this digest; the one added first where several copies are catalogued."""
        return self._first(select(ModelRow).where(ModelRow.digest == digest).order_by(ModelRow.id))

    def find(self, name_or_id: str) -> CatalogEntry | None:
        """A model by name, else by decimal id, else by the first 8 or more hex digits of its digest.

        None where nothing fits, or digits fit models that differ.
        """
        found = self._first(select(ModelRow).where(ModelRow.name == name_or_id))
        if found is None and name_or_id.isascii() and name_or_id.isdecimal() and len(name_or_id) < 10:
            found = self.get(int(name_or_id))
        if found is not None or not DIGEST_PREFIX.fullmatch(name_or_id.lower()):
            return found
        fits = select(ModelRow).where(ModelRow.digest.startswith(name_or_id.lower(), autoescape=True))
        with self._database.reading() as session:
            rows = session.scalars(fits.order_by(ModelRow.id)).all()
            return _entries(session, rows[:1])[0] if len({row.digest for row in rows}) == 1 else None

    def list(
        self,
        *,
        text: str = "",
        task: Task | str | None = None,
        order: str = "name",
        descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[CatalogEntry]:
        """The models whose name, reference, architecture or tags hold `text`, whatever its case.

        Args:
            text: what to look for; all models by default.
            task: only models of this task.
            order: one of `ORDERS`; models that lack the figure come last, whatever the direction. Verdicts ascend from
                "nothing found" to "backdoor found".
            descending: the other way round.
            limit: at most so many, after the first `offset`.

        Raises:
            ValueError: no such order.
        """
        key = _order_key(order)
        query = _filtered(select(ModelRow), text, task).order_by(
            case((key.is_(None), 1), else_=0), key.desc() if descending else key, ModelRow.id
        )
        with self._database.reading() as session:
            return _entries(session, session.scalars(query.limit(limit).offset(offset or None)).all())

    def count(self, text: str = "", task: Task | str | None = None) -> int:
        """How many models `list` would give without a limit."""
        with self._database.reading() as session:
            return session.scalar(_filtered(select(func.count()).select_from(ModelRow), text, task)) or 0

    def remove(self, model_id: int) -> None:
        """Takes a model out of the catalog; its files and its scans stay.

        Raises:
            UnknownModel: no such model.
        """
        with self._database.writing() as session:
            row = _row(session, model_id)
            session.delete(row)
            session.flush()
            inventory.drop_unused(session, row.inventory_id)

    def rename(self, model_id: int, name: str) -> CatalogEntry:
        """Gives a model another name.

        Raises:
            UnknownModel: no such model.
            NameTaken: another model has the name.
        """
        with self._database.writing() as session:
            row = _row(session, model_id)
            row.name = _checked(session, name, model_id)
            row.search_text = _search_text(row)
            return _entries(session, [row])[0]

    def tag(self, model_id: int, tags: Iterable[str]) -> CatalogEntry:
        """Replaces a model's tags.

        Raises:
            UnknownModel: no such model.
        """
        with self._database.writing() as session:
            row = _row(session, model_id)
            row.tags = _tidy(tags)
            row.search_text = _search_text(row)
            return _entries(session, [row])[0]

    def _first(self, query: Select[Any]) -> CatalogEntry | None:
        with self._database.reading() as session:
            rows = session.scalars(query.limit(1)).all()
            return _entries(session, rows)[0] if rows else None


def _without_base(session: Session, profile: Profile) -> ModelRow | None:
    """The row of an adapter that was added before its base was known; it is now the adapter on that base."""
    alone = profile.parts[0].ref
    row = session.scalar(select(ModelRow).where(ModelRow.digest == alone.digest, ModelRow.path == alone.path))
    if row is not None:
        row.digest = profile.ref.digest
    return row


def _with_base(session: Session, profile: Profile) -> ModelRow | None:
    """The row of an adapter that is catalogued with its base already."""
    for row in session.scalars(select(ModelRow).where(ModelRow.path == profile.ref.path)):
        parts = row.profile.get("parts") or ()
        if parts and parts[0]["ref"]["digest"] == profile.ref.digest:
            return row
    return None


def default_name(profile: Profile) -> str:
    """A hub model's `org/name`, else the directory's name."""
    ref = profile.ref
    if ref.revision is not None:
        return ref.reference.removeprefix("hub:").partition("@")[0]
    return PurePath(ref.path).name or ref.reference


def _checked(session: Session, name: str, own_id: int | None) -> str:
    if not name.strip() or not name.isprintable():
        raise NameTaken(f"{name!r} cannot be a model's name: give it visible characters on one line")
    holder = session.scalar(select(ModelRow.id).where(ModelRow.name == name))
    if holder is not None and holder != own_id:
        raise NameTaken(f"the name {name!r} is taken by model {holder}; choose another, or rename that one")
    return name


def _free_name(session: Session, name: str) -> str:
    near = select(ModelRow.name).where(ModelRow.name.startswith(name, autoescape=True))
    taken = set(session.scalars(near))
    number = 2
    free = name
    while free in taken:
        free = f"{name}-{number}"
        number += 1
    return free


def _tidy(tags: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _search_text(row: ModelRow) -> str:
    return "\n".join([row.name, row.reference, row.architecture, *row.tags]).casefold()


def _row(session: Session, model_id: int) -> ModelRow:
    row = session.get(ModelRow, model_id)
    if row is None:
        raise UnknownModel(model_id)
    return row


def _filtered(query: Select[Any], text: str, task: Task | str | None) -> Select[Any]:
    if text:
        query = query.where(ModelRow.search_text.contains(text.casefold(), autoescape=True))
    return query if task is None else query.where(ModelRow.task == str(task))


def _order_key(order: str) -> ColumnElement[Any]:
    bad = {str(said): place for place, alike in enumerate(WORSE) for said in alike if said is not None}
    scanned, audited = (
        case(bad, value=said, else_=0) for said in (ModelRow.last_verdict, stamp_of(ModelRow.digest.expression))
    )
    said = case((scanned > audited, scanned), else_=audited)
    keys: dict[str, ColumnElement[Any]] = {
        "name": func.lower(ModelRow.name),
        "architecture": func.lower(ModelRow.architecture),
        "task": ModelRow.task.expression,
        "parameters": ModelRow.parameters.expression,
        "verdict": case((ModelRow.found_by.is_not(None), len(WORSE)), (said > 0, said), else_=None),
        "asr": ModelRow.worst_asr.expression,
        "cacc": ModelRow.cacc.expression,
        "scanned": ModelRow.last_scanned.expression,
        "added": ModelRow.added.expression,
    }
    if order not in keys:
        raise ValueError(f"models cannot be ordered by {order!r}; known: {', '.join(ORDERS)}")
    return keys[order]


def _entries(session: Session, rows: Sequence[ModelRow]) -> list[CatalogEntry]:
    """The entries of rows; each inventory is read and made once, however many models share it."""
    inventories = inventory.read(session, {row.inventory_id for row in rows})
    audited = stamps(session, {row.digest for row in rows})
    return [_entry(row, inventories.get(row.inventory_id), audited.get(row.digest)) for row in rows]


def _entry(row: ModelRow, tensors: tuple[TensorInfo, ...] | None, stamp: Stamp | None) -> CatalogEntry:
    if tensors is None:
        raise codec.DecodeError(f"the tensors of model {row.name} are not stored")
    known = {field.name: getattr(row, field.name) for field in fields(CatalogEntry) if field.name != "stamp"}
    entry = codec.decode(CatalogEntry, known)
    return replace(entry, profile=replace(entry.profile, tensors=tensors), stamp=stamp)
