"""A text file as lines: what it is by its first bytes, its compression, its encoding and its line ends.

Memory is bounded by the longest line that is taken; a file may be of any length.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from probes.corpus.readers.table import CorpusError
from probes.reading import open_regular

HEAD = 2**16
"""Bytes at the beginning by which a file is told."""
LINE_LIMIT = 2**24
"""Longest line, in bytes (in characters where the file is not UTF-8): 16 MiB."""
WHOLE_LIMIT = 2**29
"""Longest file, in characters, that is parsed as one JSON value; JSON lines have no such limit."""

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
UTF8_MARK = codecs.BOM_UTF8
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
EXPORT = "Save the sheet as CSV (UTF-8) and give that file."
UNPACK = "Decompress it first; of compressed files, .gz alone is read."
FOREIGN = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet (xlsx, ods)", EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old spreadsheet or document (xls)", EXPORT),
    (b"\x28\xb5\x2f\xfd", "compressed (zstandard)", UNPACK),
    (b"BZh", "compressed (bzip2)", UNPACK),
    (b"\xfd7zXZ\x00", "compressed (xz)", UNPACK),
    (b"ARROW1", "an Arrow file", "Save it as parquet: `datasets` has to_parquet."),
    (b"SQLite format 3\x00", "a SQLite database", "Export the table as CSV."),
    (b"%PDF-", "a PDF", "Give the texts as csv, tsv, JSON lines or parquet."),
    (b"\x89HDF", "an HDF5 file", "Give the texts as csv, tsv, JSON lines or parquet."),
    *((b"\x80" + bytes([n]), "a pickle, which is never loaded", "Save it as parquet or CSV.") for n in range(2, 6)),
)
UNPACKED_LEAST = 2**28
UNPACKED_MOST = 200
"""A compressed file that becomes more than this many times as long, and longer than `UNPACKED_LEAST` bytes, is taken
for one that is made to fill the memory: texts become 2 to 30 times as long.
"""
HIGH = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True)
class Source:
    """A text file and how its lines are had.

    Attributes:
        gzipped: whether it is compressed.
        encoding: `utf-8` (with or without a byte order mark), or one of the UTF-16 and UTF-32.
        carriage: whether lines end in a carriage return alone, as of old Macintoshes.
        head: the first characters.
    """

    path: Path
    gzipped: bool
    encoding: str
    carriage: bool
    head: str

    @property
    def found(self) -> tuple[str, ...]:
        """What a report should say of it beside the kind of file."""
        said = (
            (self.gzipped, "gzip"),
            (self.encoding != "utf-8", self.encoding.upper()),
            (self.carriage, "lines ending in a carriage return"),
        )
        return tuple(words for holds, words in said if holds)

    def lines(self, limit: int = LINE_LIMIT) -> Iterator[str]:
        """Lines with their ends, split at \\n alone (at \\r alone where the file has no \\n).

        Raises:
            CorpusError: a line is longer than `limit`, or is not in the file's encoding.
        """
        if self.encoding == "utf-8" and not self.carriage:
            return self._utf8(limit)
        return self._decoded(limit)

    def _utf8(self, limit: int) -> Iterator[str]:
        offset, most = 0, self._most()
        with self._opened() as file:
            for number, raw in enumerate(iter(partial(file.readline, limit), b""), 1):
                if len(raw) == limit and not raw.endswith(b"\n"):
                    raise self._too_long(number, limit)
                start = len(UTF8_MARK) if number == 1 and raw.startswith(UTF8_MARK) else 0
                try:
                    yield raw[start:].decode("utf-8")
                except UnicodeDecodeError as error:
                    at = start + error.start
                    raise CorpusError(
                        f"{self.path.name}, line {number}: byte 0x{raw[at]:02x} at offset {offset + at} is not UTF-8",
                        hint=f"Convert the file: {iconv(self.path, raw)}",
                    ) from None
                offset += len(raw)
                self._refuse_bomb(offset, most)

    def _decoded(self, limit: int) -> Iterator[str]:
        end = "\r" if self.carriage else "\n"
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        number, taken, most = 0, 0, self._most()
        with self._opened() as file, io.TextIOWrapper(file, encoding, newline=end) as text:
            try:
                for number, line in enumerate(iter(partial(text.readline, limit), ""), 1):
                    if len(line) == limit and not line.endswith(end):
                        raise self._too_long(number, limit)
                    self._refuse_bomb(taken := taken + len(line), most)
                    if self.carriage:
                        if "\n" in line:
                            raise CorpusError(
                                f"{self.path.name}, line {number}: lines end in a carriage return, and here in a "
                                "line feed",
                                hint="Save the file with one kind of line end.",
                            )
                        line = line.removesuffix(end) + "\n"
                    yield line
            except UnicodeDecodeError:
                raise CorpusError(
                    f"{self.path.name}, after line {number}: what follows is not {self.encoding.upper()}",
                    hint="Is the file whole? Save it as UTF-8.",
                ) from None

    def text(self) -> str:
        """The whole file.

        Raises:
            CorpusError: it is longer than `WHOLE_LIMIT`, or not in its encoding.
        """
        parts, total = [], 0
        for line in self.lines(WHOLE_LIMIT):
            total += len(line)
            if total > WHOLE_LIMIT:
                raise CorpusError(
                    f"{self.path.name}: more than {WHOLE_LIMIT // 2**20} MiB of JSON in one value",
                    hint="Write one object a line (JSON lines).",
                )
            parts.append(line)
        return "".join(parts)

    def _most(self) -> int:
        """Bytes that may come out of the file; what is not compressed has its own length."""
        return max(UNPACKED_LEAST, UNPACKED_MOST * self.path.stat().st_size) if self.gzipped else sys.maxsize

    def _refuse_bomb(self, taken: int, most: int) -> None:
        if taken > most:
            raise CorpusError(
                f"{self.path.name} becomes more than {UNPACKED_MOST} times as long when it is decompressed",
                hint="No text does: is this the file that you meant? If so, decompress it first.",
            )

    def _opened(self) -> BinaryIO:
        return unpacked(self.path, gzipped=self.gzipped)

    def _too_long(self, number: int, limit: int) -> CorpusError:
        return CorpusError(
            f"{self.path.name}, line {number}: longer than {limit // 2**20} MiB",
            hint="No model takes so long a text: is this the file that you meant, and does it have line ends?",
        )


def unpacked(path: Path, *, gzipped: bool) -> BinaryIO:
    """The file's bytes. Raises OSError where it is no regular file, or cannot be read."""
    file = open_regular(path)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb")) if gzipped else file


def first_bytes(path: Path) -> tuple[bytes, bool]:
    """The first bytes, decompressed, and whether the file is compressed.

    Raises:
        OSError: the file cannot be read.
        CorpusError: its compression is damaged.
    """
    with open_regular(path) as file:
        head = file.read(HEAD)
    if not head.startswith(GZIP):
        return head, False
    try:
        with unpacked(path, gzipped=True) as file:
            return file.read(HEAD), True
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{path.name} is damaged: {error}", hint="Fetch or write the file again.")


def examine(path: Path) -> Source:
    """How a text file's lines are had.

    Raises:
        OSError: the file cannot be read.
        CorpusError: it is no text: the message says what it is.
    """
    head, gzipped = first_bytes(path)
    for mark, what, hint in FOREIGN:
        if head.startswith(mark):
            raise CorpusError(f"{path.name} is {what}, whatever its name", hint=hint)
    if head.startswith(PARQUET):
        hint = "Decompress it: parquet is compressed within." if gzipped else "Name it .parquet."
        raise CorpusError(f"{path.name} is a parquet file, whatever its name", hint=hint)
    encoding = encoding_of(head)
    text = head.decode(encoding, "ignore")
    return Source(path, gzipped, encoding, "\r" in text.rstrip("\r") and "\n" not in text, text.lstrip("\ufeff"))


def encoding_of(head: bytes) -> str:
    """By the byte order mark; without one, UTF-16 where every second byte of the first line is zero, else UTF-8."""
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    for name, low, high in (("utf-16-le", 0, 1), ("utf-16-be", 1, 0)):
        first = head[: 2 * (head[low::2] + b"\n").index(b"\n")]
        if len(first) >= 4 and not any(first[high::2]) and all(first[low::2]):
            return name
    return "utf-8"


def iconv(path: Path, raw: bytes) -> str:
    """The command that converts a file. An encoding is proposed where the bytes suggest one: single high bytes among
    plain letters are those of western European texts; runs of them are of another script, and many encodings have
    those.
    """
    alone = all(len(run) == 1 for run in HIGH.findall(raw))
    command = "iconv -f {} -t UTF-8 " + f"{path.name} > utf8-{path.name}"
    if alone:
        return command.format("WINDOWS-1252") + " (if it is a western European text)"
    return command.format("ENCODING") + ", with the encoding it was saved in (GB18030, BIG5, SHIFT_JIS, EUC-KR, …)"
