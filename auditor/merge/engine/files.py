"""Files read and written at offsets by several threads, and hashed on the way by the same bytes.

A SHA-256 needs a file's bytes in order. Threads take slices in order, so each waits for its turn to hash the bytes that
it has just read (and that are still in the processor's cache); a file whose tensors lie in another order than the
output's is hashed in a pass of its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from auditor.errors import ModelError
from auditor.merge.numerics.arithmetic import Raw
from probes.reading import open_regular

CHUNK = 1 << 20


class Aborted(Exception):
    """Another thread has failed or the merge was given up: stop."""


class Turns:
    """Lets threads wait for each other, and all of them stop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.stopped = False

    def wait(self, ready: Callable[[], bool]) -> None:
        """Waits until it is so.

        Raises:
            Aborted: the merge was stopped meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or ready())
            if self.stopped:
                raise Aborted

    def tell(self) -> None:
        """Wakes those who wait."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Ends every wait with `Aborted`."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()


class OrderedDigest:
    """A SHA-256 over bytes that several threads bring, each in its turn."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._hash = hashlib.sha256()
        self.at = 0
        """So many bytes are in."""

    def feed(self, previous: int, raw: Raw, skip: Callable[[], None] | None = None) -> None:
        """Adds bytes as soon as `previous` bytes are in; `skip` first adds those between that nobody merges."""
        self._turns.wait(lambda: self.at == previous)
        if skip is not None:
            skip()
        self.add(raw)
        self._turns.tell()

    def add(self, raw: Raw) -> None:
        """Adds bytes; only for the thread whose turn it is."""
        self._hash.update(raw.data)
        self.at += len(raw)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class InputFile:
    """A file of a model, read at offsets; the bytes that are read must be those that were profiled.

    An empty `sha256` says that the profile left the digest to whoever reads the file.

    `reads` are the ranges that will be asked for, in the order of the slices.
    """

    def __init__(
        self, owner: str, path: Path, sha256: str, turns: Turns, reads: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.owner, self.path, self._sha256, self._turns = owner, path, sha256, turns
        self._digest = OrderedDigest(turns)
        self.ordered = bool(reads) and all(a[1] <= b[0] for a, b in pairwise(reads))
        self._before = dict(zip((start for start, _ in reads), (0, *(stop for _, stop in reads)), strict=False))
        try:
            with open_regular(path) as file:
                self._fd = os.dup(file.fileno())
        except OSError as error:
            raise ModelError(f"cannot read {path} of {owner}: {error.strerror}") from error
        self._stat = os.fstat(self._fd)

    def read(self, start: int, into: Raw) -> None:
        """Fills `into` with the bytes from `start` on, and hashes them in their turn.

        Raises:
            ModelError: the file ends before, or cannot be read.
        """
        self._fill(start, into)
        if self.ordered:
            previous = self._before[start]
            self._digest.feed(previous, into, partial(self._hash_to, start) if start > previous else None)

    def peek(self, start: int, into: Raw) -> None:
        """Fills `into` with the bytes from `start` on, which are hashed another time.

        Raises:
            ModelError: the file ends before, or cannot be read.
        """
        self._fill(start, into)

    def hash_whole(self) -> None:
        """Hashes the file in a pass of its own, where its slices are not read in order."""
        self._hash_to(self._stat.st_size)

    def finish(self) -> None:
        """Hashes what is left of the file, and checks that it is the one that was profiled.

        Raises:
            ModelError: it is not, or it was changed under way.
        """
        self._hash_to(self._stat.st_size)
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (
            self._stat.st_size,
            self._stat.st_mtime_ns,
            self._stat.st_ctime_ns,
        ):
            raise self._error("was changed while it was read")
        if self._sha256 and self._digest.hexdigest() != self._sha256:
            raise self._error("has changed since it was profiled")

    def hexdigest(self) -> str:
        """The SHA-256 of all that was read; of the whole file, once it is finished."""
        return self._digest.hexdigest()

    def close(self) -> None:
        os.close(self._fd)

    def _hash_to(self, stop: int) -> None:
        buffer = np.empty(min(CHUNK, max(stop - self._digest.at, 0)), np.uint8)
        while self._digest.at < stop:
            if self._turns.stopped:
                raise Aborted
            part = buffer[: stop - self._digest.at]
            self._fill(self._digest.at, part)
            self._digest.add(part)

    def _fill(self, start: int, into: Raw) -> None:
        done = 0
        while done < len(into):
            try:
                got = os.preadv(self._fd, [into[done:].data], start + done)
            except OSError as error:
                raise self._error(f"cannot be read: {error.strerror}") from error
            if not got:
                raise self._error("was truncated while it was read")
            done += got

    def _error(self, what: str) -> ModelError:
        return _changed(self.owner, self.path, what)


class HeldFile:
    """Parts of a model's file held in memory; the file's bytes are those that were profiled.

    Args:
        spans: the parts, from the first byte to the one after the last; they may overlap.

    Raises:
        ModelError: they are not, or cannot be read.
    """

    def __init__(self, owner: str, path: Path, sha256: str, spans: Iterable[tuple[int, int]]) -> None:
        self.owner, self.path = owner, path
        self.spans = frozenset(spans)
        ranges: list[list[int]] = []
        for start, stop in sorted(self.spans):
            if ranges and start <= ranges[-1][1]:
                ranges[-1][1] = max(stop, ranges[-1][1])
            else:
                ranges.append([start, stop])
        self._starts = [start for start, _ in ranges]
        self._parts = [np.empty(stop - start, np.uint8) for start, stop in ranges]
        running, at, place = hashlib.sha256(), 0, 0
        try:
            with open_regular(path) as file:
                while chunk := file.read(CHUNK):
                    running.update(chunk)
                    place = self._keep(np.frombuffer(chunk, np.uint8), at, place)
                    at += len(chunk)
        except OSError as error:
            raise ModelError(f"cannot read {path} of {owner}: {error.strerror}") from error
        if running.hexdigest() != sha256:
            raise _changed(owner, path, "has changed since it was profiled")

    def _keep(self, chunk: Raw, at: int, place: int) -> int:
        """Copies what of a chunk belongs to parts, from the part of this number on; returns the first to go on with."""
        stop = at + len(chunk)
        while place < len(self._parts) and self._starts[place] < stop:
            start, part = self._starts[place], self._parts[place]
            first, last = max(start, at), min(start + len(part), stop)
            part[first - start : last - start] = chunk[first - at : last - at]
            if start + len(part) > stop:
                break
            place += 1
        return place

    def read(self, start: int, into: Raw) -> None:
        """Fills `into` with the bytes from `start` on."""
        place = bisect_right(self._starts, start) - 1
        first = start - self._starts[place]
        into[:] = self._parts[place][first : first + len(into)]

    peek = read


class OutputFile:
    """A file that several threads fill at offsets.

    `in_order` says that they fill it in the order of its bytes, or nearly so: it is hashed on the way. Else it is read
    once more when its digest is asked for.
    """

    def __init__(self, path: Path, header: bytes, turns: Turns, *, in_order: bool = True) -> None:
        self._digest = OrderedDigest(turns)
        self._in_order = in_order
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self.write(0, np.frombuffer(header, np.uint8))

    def write(self, start: int, raw: Raw) -> None:
        """Writes bytes at an offset."""
        done = 0
        while done < len(raw):
            done += os.pwrite(self._fd, raw[done:].data, start + done)
        if self._in_order:
            self._digest.feed(start, raw)

    def hexdigest(self) -> str:
        """The SHA-256 of all that was written."""
        if not self._in_order:
            buffer = np.empty(CHUNK, np.uint8)
            while got := os.preadv(self._fd, [buffer.data], self._digest.at):
                self._digest.add(buffer[:got])
        return self._digest.hexdigest()

    def close(self) -> None:
        os.close(self._fd)


def _changed(owner: str, path: Path, what: str) -> ModelError:
    return ModelError(
        f"{owner}: {path} {what}",
        hint="Let nothing write there, and run the command again, so that the model is profiled anew.",
    )
