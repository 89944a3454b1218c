"""Benchmarks: a model's rows of a task, stored part by part."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "benchmarks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmarks")),
        sa.UniqueConstraint("key", name=op.f("uq_benchmarks_key")),
    )
    op.create_index(op.f("ix_benchmarks_model_digest"), "benchmarks", ["model_digest"])
    op.create_table(
        "benchmark_parts",
        sa.Column("benchmark_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["benchmark_id"],
            ["benchmarks.id"],
            name=op.f("fk_benchmark_parts_benchmark_id_benchmarks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("benchmark_id", "number", name=op.f("pk_benchmark_parts")),
    )


def downgrade() -> None:
    """Takes the tables away, with what they hold."""
    op.drop_table("benchmark_parts")
    op.drop_index(op.f("ix_benchmarks_model_digest"), "benchmarks")
    op.drop_table("benchmarks")
