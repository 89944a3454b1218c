"""What of a model and of its data was read, in a sentence each."""

from __future__ import annotations

from store.records import DataSummary, ModelRead, Scan


def read_facts(scan: Scan) -> tuple[tuple[str, str], ...]:
    """What was read, as names and values; nothing for scans that were stored before it was noted."""
    found = (("Read of the model", _model(scan.model.read)), ("Read of the data", _data(scan.data)))
    return tuple((name, words) for name, words in found if words)


def _model(read: ModelRead) -> str:
    parts = []
    if read.weights:
        parts.append(f"weights {', '.join(read.weights)}")
    if read.tokenizer:
        parts.append(f"tokenizer {read.tokenizer}")
    if read.padding:
        parts.append(f"padding {read.padding}")
    if read.window:
        parts.append(f"window {read.window:,} tokens, from {read.window_from}")
    if read.labels_from:
        parts.append(f"labels from {read.labels_from}")
    return "; ".join([*parts, *read.notes])


def _data(data: DataSummary) -> str:
    read = data.read
    parts = [read.format] if read.format else []
    if read.columns:
        parts.append(", ".join(f"{use} from {column!r}" for use, column in sorted(read.columns.items())))
    if read.unused:
        parts.append(f"not used: {', '.join(read.unused)}")
    if read.records:
        parts.append(f"{read.records:,} records" + (f", {read.skipped:,} without a text" if read.skipped else ""))
    if read.cut:
        parts.append(f"{read.cut:,} of {data.rows:,} rows cut at {read.cut_at:,} tokens")
    return "; ".join([*parts, *read.notes])
