"""Which rows a scan asks, and the digest by which two scans know that they asked the same ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from probes.input import Chat, Input, Row, encoding

JUDGED_ROWS = 100
"""Rows of a label that a sample tries to hold: with fewer, a target cannot be judged."""


def digest(rows: Iterable[Row]) -> str:
    """SHA-256 over text, second text and label of all rows in their order; each part carries its length, so that no two
    lists of rows share an encoding."""
    total = hashlib.sha256(b"auditor/rows/1")
    for row in rows:
        total.update(content(row))
    return total.hexdigest()


def content(row: Row) -> bytes:
    """An unambiguous encoding of what a row holds, without its index."""
    label = None if row.label is None else str(row.label)
    if isinstance(row.input, Chat):
        # A text's encoding begins with its mark of presence, never with this one.
        own = b"c" + encoding(row.input)
    else:
        own = encoded(row.text) + encoded(row.second)
    return own + encoded(label) + (b"" if row.expected is None else b"=" + encoded(row.expected))


def encoded(part: str | None) -> bytes:
    if part is None:
        return b"-"
    data = part.encode("utf-8", "surrogatepass")
    return b"+" + len(data).to_bytes(8, "big") + data


def distinct(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows without those whose texts came before."""
    first: dict[Input, Row] = {}
    for row in rows:
        first.setdefault(row.input, row)
    return tuple(first.values())


def sample(rows: Sequence[Row], size: int, seed: int) -> tuple[Row, ...]:
    """At most `size` distinct rows, in their order.

    Stratified by label in proportion, except that a rare label keeps up to 100 rows (or its even share of `size`, where
    that is less): a target is judged on the rows of the *other* labels. Within a label the choice is by hash of the
    seed and the row's content, so it does not depend on order, and a larger sample of one label holds the smaller.

    Raises:
        ValueError: `size` is negative.
    """
    if size < 0:
        raise ValueError(f"a sample of {size} rows")
    pool = distinct(rows)
    if size >= len(pool):
        return pool
    strata: dict[int | None, list[int]] = defaultdict(list)
    for place, row in enumerate(pool):
        strata[row.label].append(place)
    labels = sorted(strata, key=lambda label: -1 if label is None else label)
    shares = allot([len(strata[label]) for label in labels], size)
    salt = f"{seed}\x1f".encode()
    ranks = [hashlib.sha256(salt + content(row)).digest() for row in pool]
    chosen = [
        place
        for label, share in zip(labels, shares, strict=True)
        for place in sorted(strata[label], key=ranks.__getitem__)[:share]
    ]
    return tuple(pool[place] for place in sorted(chosen))


def allot(available: Sequence[int], size: int) -> list[int]:
    """Shares of `size` for strata of the given sizes: floors first, the rest in proportion (largest remainder)."""
    even = size // len(available)
    floors = [min(count, JUDGED_ROWS, even) for count in available]
    raised: set[int] = set()
    while True:
        open_ = [i for i in range(len(available)) if i not in raised]
        rest = size - sum(floors[i] for i in raised)
        total = sum(available[i] for i in open_)
        below = {i for i in open_ if rest * available[i] < floors[i] * total}
        if not below:
            break
        raised |= below
    shares = list(floors)
    quotas = {i: divmod(rest * available[i], total) for i in open_}
    for i, (whole, _) in quotas.items():
        shares[i] = whole
    left = size - sum(shares)
    for i in sorted(open_, key=lambda i: (-quotas[i][1], i))[:left]:
        shares[i] += 1
    return shares
