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


def _local(source: str) -> Path:
    if not source.startswith("hub:"):
        return Path(source).expanduser()
    from auditor.models.datasets import fetch_dataset

    return fetch_dataset(source)
