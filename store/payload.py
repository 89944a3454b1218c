"""Batches of answers as bytes. A kind names its layout; a kind that was released is never changed.

All numbers are little-endian, and each column stands whole, before the next:

- `choices/1`: int32 label indices (−1: unscorable), uint32 widths, float64 probabilities. The widths say how many
  probabilities each answer has; where they differ, those of the narrower ones are not known.
- `completions/1`: uint8 flags (1: there is a text, 2: it ended by itself), uint32 sizes of the texts in bytes, uint32
  numbers of tokens, float32 log-probabilities of all tokens, and all texts in a row, as UTF-8 under zlib.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.answer import Choices, Completions
from store.codec import DecodeError

CHOICES, COMPLETIONS = "choices/1", "completions/1"

ANSWERED, FINISHED = 1, 2

LENIENT = "surrogatepass"
"""Half a surrogate pair, as a broken tokenizer may give, comes back as it was."""


def pack(answers: Choices | Completions) -> tuple[str, bytes]:
    """The kind and the bytes of a batch's answers.

    Raises:
        ValueError: the columns differ in length.
    """
    if isinstance(answers, Choices):
        return CHOICES, _pack_choices(answers)
    return COMPLETIONS, _pack_completions(answers)


def unpack(kind: str, asks: object, payload: object) -> Choices | Completions:
    """The answers that `pack` made bytes of.

    Raises:
        DecodeError: the bytes do not fit, or are of a kind that is not known.
    """
    if not isinstance(payload, bytes) or not isinstance(asks, int) or asks < 0:
        raise DecodeError("expected bytes, and how many asks they answer")
    columns = _Columns(payload)
    if kind == CHOICES:
        return _unpack_choices(columns, asks)
    if kind == COMPLETIONS:
        return _unpack_completions(columns, asks)
    raise DecodeError(f"answers of kind {kind!r} are not known")


def _pack_choices(answers: Choices) -> bytes:
    _check_lengths(len(answers.labels), answers.probabilities)
    widths = [answers.probabilities.shape[1]] * len(answers.labels)
    return _column(answers.labels, "<i4") + _column(widths, "<u4") + _column(answers.probabilities, "<f8")


def _unpack_choices(columns: _Columns, asks: int) -> Choices:
    labels, widths = columns.take("<i4", asks), columns.take("<u4", asks)
    flat = columns.take("<f8", int(widths.sum())).astype(np.float64)
    if columns.rest():
        raise DecodeError("there are more bytes than answers")
    width = int(widths.max(initial=0))
    full = widths == width
    probabilities = np.full((asks, width), np.nan)
    probabilities[full] = flat[np.repeat(full, widths)].reshape(int(full.sum()), width)
    return Choices(labels.astype(np.int64), probabilities)


def _pack_completions(answers: Completions) -> bytes:
    tokens = np.diff(answers.offsets)
    _check_lengths(len(answers.texts), tokens, answers.finished)
    _check_lengths(int(tokens.sum()), answers.logprobs)
    there = np.array([text is not None for text in answers.texts], dtype=bool)
    texts = [(text or "").encode("utf-8", LENIENT) for text in answers.texts]
    columns = (
        _column(ANSWERED * there + FINISHED * answers.finished, "<u1"),
        _column([len(text) for text in texts], "<u4"),
        _column(tokens, "<u4"),
        _column(answers.logprobs, "<f4"),
    )
    return b"".join((*columns, zlib.compress(b"".join(texts))))


def _unpack_completions(columns: _Columns, asks: int) -> Completions:
    flags, sizes, tokens = columns.take("<u1", asks), columns.take("<u4", asks), columns.take("<u4", asks)
    logprobs = columns.take("<f4", int(tokens.sum())).astype(np.float32)
    texts = zip(flags.tolist(), _texts(columns.rest(), sizes), strict=True)
    return Completions(
        tuple(text if flag & ANSWERED else None for flag, text in texts),
        logprobs,
        np.concatenate(([0], np.cumsum(tokens))).astype(np.int64),
        (flags & FINISHED) > 0,
    )


def _texts(packed: bytes, sizes: NDArray[Any]) -> Iterator[str]:
    """The texts of these sizes in bytes. No more is unpacked than they say: a damaged record may say anything."""
    total = int(sizes.sum())
    reader = zlib.decompressobj()
    try:
        joined = reader.decompress(packed, total + 1)
    except zlib.error as error:
        raise DecodeError(f"the texts cannot be unpacked: {error}") from error
    if len(joined) != total or not reader.eof:
        raise DecodeError("a part of the texts is missing")
    for start, stop in pairwise(accumulate(sizes.tolist(), initial=0)):
        yield joined[start:stop].decode("utf-8", LENIENT)


class _Columns:
    """Reads one column after another."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._place = 0

    def take(self, kind: str, count: int) -> NDArray[Any]:
        end = self._place + np.dtype(kind).itemsize * count
        if end > len(self._payload):
            raise DecodeError("a part of the answers is missing")
        column = np.frombuffer(self._payload, dtype=kind, count=count, offset=self._place)
        self._place = end
        return column

    def rest(self) -> bytes:
        return self._payload[self._place :]


def _column(values: Sequence[int] | NDArray[Any], kind: str) -> bytes:
    return np.asarray(values).astype(kind).tobytes()


def _check_lengths(count: int, *columns: NDArray[Any]) -> None:
    if any(len(column) != count for column in columns):
        raise ValueError("the columns of a batch of answers differ in length")
