"""Parquet files, with pyarrow where it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from probes.corpus.readers.source import PARQUET
from probes.corpus.readers.table import CorpusError, Record, Table
from probes.reading import open_regular

BATCH = 4096
"""Rows that are turned into Python's objects at a time."""


def read_parquet(path: Path) -> Table:
    """Raises:
    CorpusError: pyarrow is missing, or the file is damaged (also while records are read).
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise CorpusError(
            f"{path.name}: reading parquet needs pyarrow", hint="Install it with: pip install 'auditor[parquet]'"
        ) from None
    with open_regular(path) as file:
        if file.read(len(PARQUET)) != PARQUET:
            raise CorpusError(f"{path.name} is not a readable parquet file: it begins otherwise")
    try:
        table = pyarrow.parquet.ParquetFile(path)
        schema = table.schema_arrow
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path.name} is not a readable parquet file: {one_line(error)}") from None

    def records() -> Iterator[Record]:
        number = 0
        try:
            for batch in table.iter_batches(batch_size=BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", values)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"{path.name} is damaged after row {number}: {one_line(error)}") from None

    return Table(tuple(schema.names), records(), declared_classes(schema.metadata or {}), "parquet")


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def declared_classes(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Class names that the `datasets` library writes beside a parquet schema; empty where there are none to read."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {c: tuple(map(str, f["names"])) for c, f in features.items() if isinstance(f, dict) and f.get("names")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
