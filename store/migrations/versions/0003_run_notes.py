"""Runs keep what is to be said of how their answers were made, for the scans that use them later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; of earlier runs nothing is known."""
    op.add_column("runs", sa.Column("notes", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Takes the column away."""
    op.drop_column("runs", "notes")
