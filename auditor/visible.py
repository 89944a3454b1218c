"""Makes untrusted text harmless: what a terminal, a parser or a bidirectional renderer would obey is shown."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import quote

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DIGEST = re.compile(r"(?:sha-?256:)?([0-9a-f]{64})", re.IGNORECASE)


def visible(text: str) -> str:
    r"""The text with every control, format (zero-width, right-to-left), surrogate and unassigned one written out.

    The result is one line, encodes to UTF-8, and is legal in XML 1.0. Escapes are Python's: `\n`, `\x1b`, `\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _ESCAPED else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sha256_of(digest: str) -> str | None:
    """The bare lower-case SHA-256 of a digest, None where it is none."""
    match = _DIGEST.fullmatch(digest)
    return match.group(1).lower() if match else None


def short_digest(digest: str) -> str:
    """The first twelve characters of a digest, enough to tell models apart by eye."""
    return visible(sha256_of(digest) or digest)[:12]


def model_name(reference: str) -> str:
    """A model's reference in plain ASCII for use in ids: other references give other names.

    Whatever is no letter, digit or one of `/@._-~` is percent-encoded; the ways to write one path (`./a`, `a/`) give
    one name, and a path from the root begins with `%2F`.
    """
    encoded = posixpath.normpath(quote(reference.encode("utf-8", "surrogatepass"), safe="/@"))
    return f"%2F{encoded[1:]}" if encoded.startswith("/") else encoded
