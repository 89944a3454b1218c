"""The rows of a scan: the user's file, a hub dataset, or the built-in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from auditor.errors import UsageError
from auditor.scan.request import DataRequest
from probes.corpus import Corpus, CorpusError, builtin, builtin_for, read_corpus


def read_rows(request: DataRequest, labels: Sequence[str]) -> Corpus:
    """Reads the rows that a request names, for a model with the given labels.

    Raises:
        UsageError: the file cannot be read, lacks a column, or its labels do not fit the model's.
        FetchError: a hub dataset could not be fetched.
    """
    source = request.source
    try:
        if source is None:
            return builtin_for(labels)
        if source.startswith("builtin:"):
            return builtin(source.removeprefix("builtin:"), labels=labels)
        path = _local(source)
        corpus = read_corpus(
            path,
            labels=labels,
            text_column=request.text_column,
            pair_column=request.pair_column,
            label_column=request.label_column,
        )
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
    return replace(corpus, source=source)


def read_texts(source: str) -> tuple[str, ...]:
    """The texts of a file, their labels left aside: of a `.txt` file its lines, else those of `read_rows`.

    Raises:
        UsageError: the file cannot be read, or holds no text.
        FetchError: a hub dataset could not be fetched.
    """
    if source.endswith(".txt"):
        try:
            lines = Path(source).expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {source}: {error}") from error
        texts = tuple(line for line in lines if line.strip())
    else:
        texts = tuple(row.text for row in read_rows(DataRequest(source, label_column=""), ()).rows)
    if not texts:
        raise UsageError(f"{source} holds no text")
    return texts


def _local(source: str) -> Path:
    if not source.startswith("hub:"):
        return Path(source).expanduser()
    from auditor.models.datasets import fetch_dataset

    return fetch_dataset(source)
