"""The catalog's tables as typed rows. No queries here.

Whole records lie in JSON columns (see `store.codec`); what lists show, sort by or search lies in columns of its own.
Times are UTC, ISO 8601, so that they sort as text.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, LargeBinary, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables. Constraints have fixed names, so that a migration can find them on every database."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class InventoryRow(Base):
    """A tensor inventory. Fine-tuned models share their base model's, so a list reads each but once."""

    __tablename__ = "inventories"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    tensors: Mapped[Any] = mapped_column(JSON)
    """See `store.inventory`."""


class ModelRow(Base):
    """A catalogued model, with the figures of its last scan."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("digest", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    reference: Mapped[str]
    path: Mapped[str]
    digest: Mapped[str]
    architecture: Mapped[str]
    task: Mapped[str] = mapped_column(index=True)
    parameters: Mapped[int] = mapped_column(BigInteger)
    search_text: Mapped[str]
    """Case-folded name, reference, architecture and tags, a line each."""
    profile: Mapped[Any] = mapped_column(JSON)
    """The profile without its tensors."""
    inventory_id: Mapped[int] = mapped_column(ForeignKey("inventories.id"), index=True)
    added: Mapped[str]
    tags: Mapped[Any] = mapped_column(JSON)
    planted: Mapped[str | None]
    last_scan: Mapped[str | None]
    last_verdict: Mapped[str | None]
    last_scanned: Mapped[str | None]
    worst_asr: Mapped[float | None]
    cacc: Mapped[float | None]
    found_by: Mapped[str | None]
    """The last scan in which a backdoor was found, if there is one."""


class ScanTableRow(Base):
    """A finished scan: its document, and what lists show of it."""

    __tablename__ = "scans"
    __table_args__ = (Index(None, "model_digest", "finished"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    model_digest: Mapped[str]
    reference: Mapped[str]
    suite: Mapped[str]
    verdict: Mapped[str] = mapped_column(index=True)
    worst_asr: Mapped[float | None]
    cacc: Mapped[float | None]
    started: Mapped[str]
    finished: Mapped[str] = mapped_column(index=True)
    document: Mapped[Any] = mapped_column(JSON)


class TriggerRow(Base):
    """A trigger that no list of published attacks holds, as a scan fired it."""

    __tablename__ = "triggers"

    digest: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[Any] = mapped_column(JSON)
    model_digest: Mapped[str]
    """The model that it was first fired at."""
    hunt: Mapped[str | None]
    """The search that found it; None for one of the user's own."""


class RunRow(Base):
    """A model's answers to a plan, as far as they go."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    model_digest: Mapped[str] = mapped_column(index=True)
    batches: Mapped[int]
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)


class BatchRow(Base):
    """A finished batch of a run: what kind of answers, to how many asks, and the answers; see `store.payload`."""

    __tablename__ = "batches"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    asks: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class BenchmarkTableRow(Base):
    """A model's rows of a benchmark, as far as they are scored."""

    __tablename__ = "benchmarks"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    model_digest: Mapped[str] = mapped_column(index=True)
    task: Mapped[str]
    parts: Mapped[int | None]


class BenchmarkPartRow(Base):
    """A finished part of a benchmark: what its metrics say of each row."""

    __tablename__ = "benchmark_parts"

    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmarks.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rows: Mapped[Any] = mapped_column(JSON)


class RowSetRow(Base):
    """The rows of scans by digest: lets two scans be compared row by row after the user's file has moved."""

    __tablename__ = "row_sets"

    digest: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[Any] = mapped_column(JSON)
    """A list of [index, text, pair, label]."""


class AuditRow(Base):
    """A finished audit; its document holds both scans."""

    __tablename__ = "audits"

    id: Mapped[str] = mapped_column(primary_key=True)
    model_digest: Mapped[str] = mapped_column(index=True)
    reference: Mapped[str]
    stamp: Mapped[str | None]
    started: Mapped[str]
    finished: Mapped[str] = mapped_column(index=True)
    made: Mapped[str | None] = mapped_column(index=True)
    """The digest of the model that it made, if it has merged and asked that."""
    document: Mapped[Any] = mapped_column(JSON)


class MergeRow(Base):
    """A merge that was made: what it was made of, and where the result went."""

    __tablename__ = "merges"
    __table_args__ = (UniqueConstraint("digest", "suspect_digest", "output"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    suspect_digest: Mapped[str] = mapped_column(index=True)
    output: Mapped[str]
    document: Mapped[Any] = mapped_column(JSON)


class FilesRow(Base):
    """What was seen in the files of a model when they were last looked at."""

    __tablename__ = "file_reports"

    model_digest: Mapped[str] = mapped_column(primary_key=True)
    examined: Mapped[str]
    document: Mapped[Any] = mapped_column(JSON)


class JobRow(Base):
    """A command started in the background."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int]
    started: Mapped[str] = mapped_column(index=True)
    command: Mapped[Any] = mapped_column(JSON)
    events: Mapped[str]
    state: Mapped[str]
    exit_code: Mapped[int | None]
    finished: Mapped[str | None]
    subject: Mapped[str]
    log: Mapped[str]
    extra: Mapped[Any] = mapped_column(JSON)
    host: Mapped[str] = mapped_column(server_default="")
