"""The first catalog: models, scans, runs, audits, merges, jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "audits",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=True),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("finished", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
    )
    op.create_index(op.f("ix_audits_finished"), "audits", ["finished"])
    op.create_index(op.f("ix_audits_model_digest"), "audits", ["model_digest"])
    op.create_table(
        "inventories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tensors", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventories")),
        sa.UniqueConstraint("digest", name=op.f("uq_inventories_digest")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("events", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("finished", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_started"), "jobs", ["started"])
    op.create_table(
        "merges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("suspect_digest", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        sa.UniqueConstraint("digest", "suspect_digest", "output", name=op.f("uq_merges_digest_suspect_digest_output")),
    )
    op.create_index(op.f("ix_merges_suspect_digest"), "merges", ["suspect_digest"])
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_runs_key")),
    )
    op.create_index(op.f("ix_runs_model_digest"), "runs", ["model_digest"])
    op.create_table(
        "scans",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("worst_asr", sa.Double(), nullable=True),
        sa.Column("cacc", sa.Double(), nullable=True),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("finished", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
    )
    op.create_index(op.f("ix_scans_finished"), "scans", ["finished"])
    op.create_index(op.f("ix_scans_model_digest_finished"), "scans", ["model_digest", "finished"])
    op.create_index(op.f("ix_scans_verdict"), "scans", ["verdict"])
    op.create_table(
        "row_sets",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_row_sets")),
    )
    op.create_table(
        "batches",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("widths", sa.JSON(), nullable=False),
        sa.Column("probabilities", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_batches_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_batches")),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("inventory_id", sa.Integer(), nullable=False),
        sa.Column("added", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("planted", sa.String(), nullable=True),
        sa.Column("last_scan", sa.String(), nullable=True),
        sa.Column("last_verdict", sa.String(), nullable=True),
        sa.Column("last_scanned", sa.String(), nullable=True),
        sa.Column("worst_asr", sa.Double(), nullable=True),
        sa.Column("cacc", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["inventory_id"], ["inventories.id"], name=op.f("fk_models_inventory_id_inventories")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("digest", "path", name=op.f("uq_models_digest_path")),
        sa.UniqueConstraint("name", name=op.f("uq_models_name")),
    )
    op.create_index(op.f("ix_models_inventory_id"), "models", ["inventory_id"])
    op.create_index(op.f("ix_models_task"), "models", ["task"])
    op.create_table(
        "scores",
        sa.Column("scan_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("asr", sa.Double(), nullable=False),
        sa.Column("asr_low", sa.Double(), nullable=False),
        sa.Column("asr_high", sa.Double(), nullable=False),
        sa.Column("clean", sa.Double(), nullable=False),
        sa.Column("control", sa.Double(), nullable=False),
        sa.Column("excess", sa.Double(), nullable=False),
        sa.Column("excess_low", sa.Double(), nullable=False),
        sa.Column("excess_high", sa.Double(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=False),
        sa.Column("detectable", sa.Double(), nullable=False),
        sa.Column("finding", sa.Boolean(), nullable=False),
        sa.Column("suspicious", sa.Boolean(), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name=op.f("fk_scores_scan_id_scans"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scan_id", "position", name=op.f("pk_scores")),
    )
    op.create_index(op.f("ix_scores_asr"), "scores", ["asr"])
    op.create_index(op.f("ix_scores_excess"), "scores", ["excess"])
    op.create_index(op.f("ix_scores_family"), "scores", ["family"])
    op.create_index(op.f("ix_scores_finding"), "scores", ["finding"])


def downgrade() -> None:
    """Drops all tables, and what is in them."""
    op.drop_table("scores")
    op.drop_table("models")
    op.drop_table("row_sets")
    op.drop_table("batches")
    op.drop_table("scans")
    op.drop_table("runs")
    op.drop_table("merges")
    op.drop_table("jobs")
    op.drop_table("inventories")
    op.drop_table("audits")
