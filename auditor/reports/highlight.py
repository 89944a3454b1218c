"""What an edit changed: a word-level difference of two texts, as segments to mark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

_WORDS = re.compile(r"\S+\s*|^\s+")
_PIECES = re.compile(r"\S+|\s+")
_MAX_CELLS = 1_000_000
ELLIPSIS = " … "


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text; `changed` where the other text does not have it."""

    text: str
    changed: bool


def segments(other: str, text: str) -> tuple[Segment, ...]:
    """`text` cut into what `other` has too and what it lacks; joined, the segments give `text` again.

    Words are compared without the white space after them; where nothing but white space differs, that is marked.
    """
    if other == text:
        return (Segment(text, False),) if text else ()
    marked = _mark(_WORDS.findall(other), _WORDS.findall(text), strip=True)
    if not any(changed for _, changed in marked):
        marked = _mark(_PIECES.findall(other), _PIECES.findall(text), strip=False)
    return tuple(_merged(_tails_apart(_merged(marked))))


def shortened(parts: Sequence[Segment], limit: int) -> tuple[Segment, ...]:
    """The segments with every long stretch cut to about `limit` characters; what is next to a change is kept."""
    return tuple(Segment(_cut(s, i, len(parts), limit), s.changed) for i, s in enumerate(parts))


def _cut(segment: Segment, position: int, count: int, limit: int) -> str:
    text = segment.text
    if len(text) <= limit:
        return text
    if not segment.changed and count > 1 and position == 0:
        return ELLIPSIS.lstrip() + text[-limit:]
    if not segment.changed and count > 1 and position == count - 1:
        return text[:limit] + ELLIPSIS.rstrip()
    return text[: limit // 2] + ELLIPSIS + text[-(limit // 2) :]


def _mark(old: list[str], new: list[str], *, strip: bool) -> list[tuple[str, bool]]:
    a, b = ([w.strip() for w in old], [w.strip() for w in new]) if strip else (old, new)
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    same = set(range(start)) | set(range(len(b) - end, len(b)))
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    # Comparing is quadratic in the worst case; the middle of two long, unlike texts is marked as a whole instead.
    if len(middle_a) * len(middle_b) <= _MAX_CELLS:
        for block in SequenceMatcher(None, middle_a, middle_b, autojunk=False).get_matching_blocks():
            same.update(range(start + block.b, start + block.b + block.size))
    return [(word, index not in same) for index, word in enumerate(new)]


def _merged(marked: Iterable[tuple[str, bool]] | Iterable[Segment]) -> Iterator[Segment]:
    parts = (p if isinstance(p, Segment) else Segment(*p) for p in marked)
    for changed, run in groupby((p for p in parts if p.text), key=lambda p: p.changed):
        yield Segment("".join(p.text for p in run), changed)


def _tails_apart(parts: Iterable[Segment]) -> Iterator[Segment]:
    """White space after a changed stretch is not part of the change, unless it is all of it."""
    for part in parts:
        core = part.text.rstrip()
        if part.changed and core:
            yield Segment(core, True)
            yield Segment(part.text[len(core) :], False)
        else:
            yield part
