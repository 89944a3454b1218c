"""What was seen in the files of models, the last report of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table; of earlier models nothing is known."""
    op.create_table(
        "file_reports",
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("examined", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model_digest", name=op.f("pk_file_reports")),
    )


def downgrade() -> None:
    """Takes the table away."""
    op.drop_table("file_reports")
