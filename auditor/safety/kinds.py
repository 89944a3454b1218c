"""What a file is, by its first bytes before its name: a name may lie."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType

HEAD = 4_096
"""Bytes at the beginning by which a file is told."""


class Kind(StrEnum):
    """Kinds of files; the value is what a message calls them."""

    SAFETENSORS = "safetensors"
    GGUF = "GGUF"
    PICKLE = "a pickle"
    ZIP = "a zip archive"
    TAR = "a tar archive"
    PACKED = "a compressed file"
    SEALED = "an archive of a kind that is not opened"
    NPY = "a NumPy array"
    HDF5 = "HDF5"
    ONNX = "ONNX"
    DATA = "data of a format that holds no code"
    IMAGE = "a picture or a sound"
    NATIVE = "machine code"
    SOURCE = "source code"
    JSON = "JSON"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "of no kind that is known"


MARKS: tuple[tuple[bytes, Kind], ...] = (
    (b"GGUF", Kind.GGUF),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEALED),
    (b"Rar!\x1a\x07", Kind.SEALED),
    (b"\x28\xb5\x2f\xfd", Kind.SEALED),
    (b"\x04\x22\x4d\x18", Kind.SEALED),
    (b"MSCF", Kind.SEALED),
    (b"\x1f\x8b", Kind.PACKED),
    (b"BZh", Kind.PACKED),
    (b"\xfd7zXZ\x00", Kind.PACKED),
    (b"]\x00\x00", Kind.PACKED),
    (b"\x78\x01", Kind.PACKED),
    (b"\x78\x9c", Kind.PACKED),
    (b"\x78\xda", Kind.PACKED),
    (b"\x93NUMPY", Kind.NPY),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (b"\x7fELF", Kind.NATIVE),
    (b"\xcf\xfa\xed\xfe", Kind.NATIVE),
    (b"\xfe\xed\xfa\xcf", Kind.NATIVE),
    (b"\xca\xfe\xba\xbe", Kind.NATIVE),
    (b"\x00asm", Kind.NATIVE),
    (b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"GIF8", Kind.IMAGE),
    (b"OggS", Kind.IMAGE),
    (b"fLaC", Kind.IMAGE),
    (b"ID3", Kind.IMAGE),
    (b"%PDF-", Kind.IMAGE),
    (b"PAR1", Kind.DATA),
    (b"ARROW1", Kind.DATA),
    *((bytes((0x80, protocol)), Kind.PICKLE) for protocol in range(6)),
)
PICKLES = frozenset(
    (".pkl", ".pickle", ".pck", ".bin", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".p", ".dat", ".th")
)
"""Names whose files a loader may unpickle, whatever they begin with."""
SOURCES = frozenset(
    (".py", ".pyc", ".pyw", ".pyx", ".sh", ".bash", ".bat", ".ps1", ".js", ".rb", ".pl", ".cu", ".ipynb")
)
DATA: Mapping[str, bytes] = MappingProxyType({
    ".msgpack": b"",  # Flax: maps of arrays
    ".tflite": b"",  # a flat buffer
    ".spm": b"\n",  # SentencePiece: a protobuf whose first field is a piece
    ".model": b"\n",
})  # fmt: skip
"""Formats of data alone: their suffixes, and what such a file begins with."""
TF_EVENTS = "tfevents"


def kind_of(name: str, head: bytes) -> Kind:
    """The kind of a file.

    Args:
        name: with its suffix, which settles what the first bytes leave open.
        head: its first bytes, at most `HEAD`.
    """
    suffix = PurePosixPath(name).suffix.casefold()
    if not head:
        return Kind.EMPTY
    if suffix == ".safetensors":
        return Kind.SAFETENSORS
    for mark, kind in MARKS:
        if head.startswith(mark):
            return kind
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000:
        return Kind.SAFETENSORS
    if head[257:262] == b"ustar":
        return Kind.TAR
    if head.startswith(b"MZ") and b"\x00" in head:
        return Kind.NATIVE
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return Kind.IMAGE
    if head[4:8] == b"ftyp":
        return Kind.IMAGE
    if head[4:8] == b"TFL3":
        return Kind.DATA
    if suffix == ".onnx":
        return Kind.ONNX
    if suffix in PICKLES:
        return Kind.PICKLE
    if suffix in DATA and head.startswith(DATA[suffix]):
        return Kind.DATA
    if TF_EVENTS in name:
        return Kind.DATA
    if b"\x00" not in head and _is_text(head):
        if suffix in SOURCES or head.startswith(b"#!"):
            return Kind.SOURCE
        return Kind.JSON if suffix == ".json" else Kind.TEXT
    if suffix in SOURCES:
        return Kind.SOURCE
    return Kind.UNKNOWN


def _is_text(head: bytes) -> bool:
    """Whether bytes are UTF-8, but for a character that is cut at their end."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start >= HEAD - 3
    return True
