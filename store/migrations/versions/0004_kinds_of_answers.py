"""Batches hold answers of more than one kind; jobs know their host; triggers are kept; the unread scores go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

AT_ONCE = 500
"""Batches in memory at a time."""

CHOICES = "choices/1"
UNREADABLE = "unreadable"
"""The kind of a batch that was damaged before: it is told when its run is read, as ever, and stops no other."""

Columns = Mapping[str, TypeEngine[Any]]

OLD: Columns = MappingProxyType({"labels": sa.JSON(), "widths": sa.JSON(), "probabilities": sa.LargeBinary()})
NEW: Columns = MappingProxyType({"kind": sa.String(), "asks": sa.Integer(), "payload": sa.LargeBinary()})


def upgrade() -> None:
    """Converts every batch; probabilities stay equal to the bit."""
    _make_anew(NEW)
    _convert(OLD, NEW)
    op.drop_table("scores")
    op.add_column("jobs", sa.Column("host", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "triggers",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("hunt", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_triggers")),
    )


def downgrade() -> None:
    """Converts choices back; batches of other kinds, triggers and the jobs' hosts go. The scores' table stays empty."""
    _make_anew(OLD)
    _convert(NEW, OLD)
    op.drop_column("jobs", "host")
    op.drop_table("triggers")
    figures = [
        "asr",
        "asr_low",
        "asr_high",
        "clean",
        "control",
        "excess",
        "excess_low",
        "excess_high",
        "p_value",
        "detectable",
    ]
    op.create_table(
        "scores",
        sa.Column("scan_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("family", "variant", "group_name", "target")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in figures),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("finding", "suspicious", "judged")),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name=op.f("fk_scores_scan_id_scans"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scan_id", "position", name=op.f("pk_scores")),
    )
    for column in ("asr", "excess", "family", "finding"):
        op.create_index(op.f(f"ix_scores_{column}"), "scores", [column])


def _make_anew(columns: Columns) -> None:
    """An empty table of batches; the one that was is called `old_batches`."""
    op.rename_table("batches", "old_batches")
    if op.get_bind().dialect.name == "postgresql":
        # There a primary key's index bears its name in the whole schema; SQLite knows such names within a table only.
        op.execute("ALTER TABLE old_batches RENAME CONSTRAINT pk_batches TO pk_old_batches")
    op.create_table(
        "batches",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in columns.items()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_batches_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_batches")),
    )


def _convert(before: Columns, after: Columns) -> None:
    old, new = _table("old_batches", before), _table("batches", after)
    change = _pack if after is NEW else _unpack
    for page in _pages(old):
        changed = ((row, change(row)) for row in page)
        rows = [{"run_id": row.run_id, "number": row.number, **values} for row, values in changed if values is not None]
        if rows:
            op.bulk_insert(new, rows)
    op.drop_table("old_batches")


def _table(name: str, columns: Columns) -> sa.TableClause:
    keys = (sa.column("run_id", sa.Integer()), sa.column("number", sa.Integer()))
    return sa.table(name, *keys, *(sa.column(name, kind) for name, kind in columns.items()))


def _pages(table: sa.TableClause) -> Iterator[Sequence[sa.Row[Any]]]:
    key = sa.tuple_(table.c.run_id, table.c.number)
    # JSON is read as text: a damaged value must not stop the others.
    columns = (sa.cast(c, sa.Text).label(c.name) if isinstance(c.type, sa.JSON) else c for c in table.c)
    query = sa.select(*columns).order_by(table.c.run_id, table.c.number).limit(AT_ONCE)
    page = op.get_bind().execute(query).all()
    while page:
        yield page
        last = sa.tuple_(page[-1].run_id, page[-1].number)
        # What was converted goes at once: its place is taken by what comes, and the file does not grow twofold.
        op.execute(sa.delete(table).where(key <= last))
        page = op.get_bind().execute(query.where(key > last)).all()


def _pack(row: sa.Row[Any]) -> dict[str, Any]:
    """int32 labels (−1: unscorable), uint32 widths, float64 probabilities, all little-endian."""
    try:
        labels = np.array([-1 if label is None else label for label in json.loads(row.labels)], dtype="<i4")
        widths = np.array(json.loads(row.widths), dtype="<u4")
        if labels.shape != widths.shape or len(row.probabilities) != 8 * int(widths.sum()):
            raise ValueError("a part is missing")
    except (TypeError, ValueError, OverflowError):
        left = row.probabilities if isinstance(row.probabilities, bytes) else b""
        return {"kind": UNREADABLE, "asks": 0, "payload": left}
    payload = b"".join((labels.tobytes(), widths.tobytes(), row.probabilities))
    return {"kind": CHOICES, "asks": len(labels), "payload": payload}


def _unpack(row: sa.Row[Any]) -> dict[str, Any] | None:
    if row.kind != CHOICES:
        return None
    labels = np.frombuffer(row.payload, dtype="<i4", count=row.asks).tolist()
    widths = np.frombuffer(row.payload, dtype="<u4", count=row.asks, offset=4 * row.asks).tolist()
    return {
        "labels": [None if label < 0 else label for label in labels],
        "widths": widths,
        "probabilities": row.payload[8 * row.asks :],
    }
