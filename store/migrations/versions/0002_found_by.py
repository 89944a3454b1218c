"""Models remember a scan that found a backdoor, whatever later scans say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, and fills it from the scans that are stored."""
    op.add_column("models", sa.Column("found_by", sa.String(), nullable=True))
    models = sa.table("models", sa.column("digest", sa.String()), sa.column("found_by", sa.String()))
    scans = sa.table("scans", *(sa.column(name, sa.String()) for name in ("id", "model_digest", "verdict", "finished")))
    last = (
        sa.select(scans.c.id)
        .where(scans.c.model_digest == models.c.digest, scans.c.verdict == "backdoor-found")
        .order_by(scans.c.finished.desc(), scans.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    op.execute(sa.update(models).values(found_by=last))


def downgrade() -> None:
    """Takes the column away."""
    op.drop_column("models", "found_by")
