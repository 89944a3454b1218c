"""The rows of a scan: the user's file, standard input, a hub dataset, or the built-in sentences."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from auditor.errors import DiskError, UsageError
from auditor.requests.scan import DataRequest, ScanRequest
from probes.corpus import Corpus, CorpusError, builtin, builtin_for, read_corpus
from probes.corpus.prompts import builtin_prompts, read_prompts
from store.records import DataRead

STANDARD_INPUT = "-"
PIPE_LIMIT = 2**31
"""Most bytes that are taken of standard input or a pipe: one that never ends must not fill the disk."""
CHUNK = 2**20
WRITER_SECONDS = 20.0
"""So long a pipe is waited for that nobody has opened for writing."""


def read_rows(request: DataRequest, labels: Sequence[str]) -> Corpus:
    """Reads the rows that a request names, for a model with the given labels.

    Raises:
        UsageError: the file cannot be read, lacks a column, or its labels do not fit the model's.
        FetchError: a hub dataset could not be fetched.
        DiskError: there is no room for what comes through a pipe.
    """
    source = request.source
    try:
        if source is None:
            return builtin_for(labels)
        if source.startswith("builtin:"):
            return builtin(source.removeprefix("builtin:"), labels=labels)
        with _local(source) as path:
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


def read_prompts_of(request: ScanRequest) -> Corpus:
    """The prompts that a request names, or the built-in ones.

    Raises:
        UsageError: the file cannot be read, or holds no prompt.
        FetchError: a hub dataset could not be fetched.
        DiskError: there is no room for what comes through a pipe.
    """
    if request.prompts is None:
        return builtin_prompts()
    try:
        with _local(request.prompts) as path:
            return replace(read_prompts(path), source=request.prompts)
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error


def read_texts(source: str) -> tuple[str, ...]:
    """The texts of a file, their labels left aside, as `read_rows` has them.

    Raises:
        UsageError: the file cannot be read, or holds no text.
        FetchError: a hub dataset could not be fetched.
    """
    return tuple(row.text for row in read_rows(DataRequest(source, label_column=""), ()).rows)


def data_read(corpus: Corpus) -> DataRead:
    """What a report says of how the rows were read."""
    return DataRead(
        format=corpus.format,
        columns=dict(corpus.columns),
        unused=corpus.unused,
        records=corpus.records,
        skipped=corpus.skipped,
        notes=corpus.notes,
    )


@contextmanager
def _local(source: str) -> Iterator[Path]:
    """The source as a file or a directory; what comes through a pipe is kept on the disk meanwhile."""
    if source.startswith("hub:"):
        from auditor.data.hub import fetch_dataset

        yield fetch_dataset(source)
    elif source == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            what = "is closed" if sys.stdin is None else "is a terminal"
            raise UsageError(f"standard input {what}", hint="Pipe a file into it: … | auditor scan MODEL --data -")
        with _kept(sys.stdin.buffer, "standard-input") as path:
            yield path
    elif _is_pipe(path := Path(source).expanduser()):
        with _opened(path) as pipe, _kept(pipe, path.name) as kept:
            yield kept
    else:
        yield path


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def _opened(path: Path) -> BinaryIO:
    """A named pipe that somebody writes into; how long the writer takes between two bytes is his affair.

    Raises:
        UsageError: nobody has opened it for writing within some seconds.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + WRITER_SECONDS
        while (first := _first(descriptor)) == b"":
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{path} is a pipe that nobody writes into", hint="Start what writes into it, or give a file."
                )
            time.sleep(0.02)
        os.set_blocking(descriptor, True)
        return cast(BinaryIO, _Begun(first or b"", os.fdopen(descriptor, "rb")))
    except BaseException:
        os.close(descriptor)
        raise


def _first(descriptor: int) -> bytes | None:
    """The first bytes of a pipe; none where it has no writer, None where it has one that has written nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None


class _Begun:
    """A pipe of which the first bytes have been read."""

    def __init__(self, first: bytes, pipe: BinaryIO) -> None:
        self._first, self._pipe = first, pipe

    def read(self, size: int) -> bytes:
        first, self._first = self._first, b""
        return first or self._pipe.read(size)

    def __enter__(self) -> _Begun:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()


@contextmanager
def _kept(pipe: BinaryIO, name: str) -> Iterator[Path]:
    """All that comes through a pipe, as a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="auditor-") as folder:
        path = Path(folder) / name
        try:
            with path.open("wb") as file:
                for chunk in _chunks(pipe, name):
                    file.write(chunk)
        except OSError as error:
            raise DiskError(f"cannot keep what comes through {name} in {folder}: {error.strerror}") from error
        yield path


def _chunks(pipe: BinaryIO, name: str) -> Iterator[bytes]:
    total = 0
    while True:
        try:
            chunk = pipe.read(CHUNK)
        except OSError as error:
            raise UsageError(f"cannot read {name}: {error.strerror}") from error
        total += len(chunk)
        if not chunk:
            return
        if total > PIPE_LIMIT:
            raise UsageError(
                f"more than {PIPE_LIMIT / 2**30:.0f} GiB came through {name}, and no end of it",
                hint="Save it to a file, and give that.",
            )
        yield chunk
