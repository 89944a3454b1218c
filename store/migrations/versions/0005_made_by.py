"""Audits name the model that they made, so that a list of models can show what an audit says of it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, and fills it from the audits that are stored."""
    op.add_column("audits", sa.Column("made", sa.String(), nullable=True))
    op.create_index(op.f("ix_audits_made"), "audits", ["made"])
    audits = sa.table("audits", sa.column("id", sa.String()), sa.column("made", sa.String()), sa.column("document"))
    connection = op.get_bind()
    for audit in connection.scalars(sa.select(audits.c.id)).all():
        # JSON is read as text: a damaged document must not stop the others.
        query = sa.select(sa.cast(audits.c.document, sa.Text)).where(audits.c.id == audit)
        made = _made(connection.scalar(query))
        connection.execute(sa.update(audits).where(audits.c.id == audit).values(made=made))


def _made(document: str | None) -> str | None:
    """The digest of the model that the rescan asked; None where there was none."""
    try:
        return str(json.loads(document or "")["after"]["model"]["digest"])
    except (ValueError, KeyError, TypeError):
        return None


def downgrade() -> None:
    """Takes the column away."""
    op.drop_index(op.f("ix_audits_made"), "audits")
    op.drop_column("audits", "made")
