"""Directories, and files that are parts of one set: `0000.parquet`, `train-00000-of-00002.parquet`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from probes.corpus.readers.table import CorpusError, Record, Table

NUMBERED = re.compile(r"\d{1,9}")
SHARD = re.compile(r"(?P<name>.+?)[-_](?P<number>\d{1,9})-of-(?P<count>\d{1,9})")

Open = Callable[[Path], Table]


@dataclass(frozen=True)
class Parts:
    """Parts of a set in their order."""

    name: str
    files: tuple[Path, ...]


def stem_of(path: PurePath) -> str:
    """A data file's name without its suffix, and without `.gz`."""
    return PurePath(path.name.removesuffix(".gz")).stem


class Shard(NamedTuple):
    """What the name of a part such as `train-00000-of-00002.csv` says; numbers count from 0."""

    name: str
    number: int
    total: int


def shard(path: PurePath) -> Shard | None:
    """What a file's name says of it as a part; None where it is no such part."""
    found = SHARD.fullmatch(stem_of(path))
    return Shard(found["name"], int(found["number"]), int(found["count"])) if found else None


def sets_in(files: Sequence[Path]) -> dict[str, Parts]:
    """The sets whose parts are among some files, by name; files that are no parts are left out."""
    found: dict[str, list[tuple[int, Path]]] = {}
    counts: dict[str, set[int]] = {}
    for path in files:
        if part := shard(path):
            found.setdefault(part.name, []).append((part.number, path))
            counts.setdefault(part.name, set()).add(part.total)
    out = {}
    for name, numbered in found.items():
        (count, *others) = counts[name]
        files_of = [path for _, path in sorted(numbered)]
        if others or len(numbered) != count or {number for number, _ in numbered} != set(range(count)):
            have = ", ".join(path.name for path in files_of[:5])
            raise CorpusError(
                f"{files_of[0].parent}: the parts of {name!r} are not all there, or not once: {have}"
                + (f" and {len(files_of) - 5} more" if len(files_of) > 5 else ""),
                hint="Fetch all parts of the set into the directory.",
            )
        out[name] = Parts(name, tuple(files_of))
    return out


def numbered_parts(files: Sequence[Path]) -> Parts | None:
    """The files as one set, where all are called by a number alone."""
    if not files or not all(NUMBERED.fullmatch(stem_of(path)) for path in files):
        return None
    ordered = sorted(files, key=lambda path: (int(stem_of(path)), path.name))
    first = int(stem_of(ordered[0]))
    if gap := next((path for n, path in enumerate(ordered, first) if int(stem_of(path)) != n), None):
        raise CorpusError(
            f"{gap.parent}: {gap.name} does not follow the part before it", hint="Are all parts there, and each once?"
        )
    return Parts("", tuple(ordered))


def open_directory(folder: Path, files: Sequence[Path], open_file: Open, known: Mapping[str, object]) -> Table:
    """A directory whose data files are the parts of one set.

    Raises:
        CorpusError: it holds other files, several sets, or not all parts.
    """
    plain = numbered_parts(files)
    if plain:
        return open_parts(plain, open_file)
    sets = sets_in(files)
    if len(sets) == 1 and all(shard(path) for path in files):
        return open_parts(next(iter(sets.values())), open_file)
    names = [*sets, *sorted(path.name for path in files if not shard(path))]
    choice = ", ".join(str(folder / name) for name in names[:8])
    raise CorpusError(
        f"{folder} is a directory" + (" of several data files" if names else ""),
        hint=f"Give one of them: {choice}" if names else f"Give a file: {', '.join(known)}.",
    )


def open_parts(parts: Parts, open_file: Open) -> Table:
    """The parts as one file.

    Raises:
        CorpusError: a part has other columns than the first (also while records are read).
    """
    files = parts.files
    if len({tuple(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix for path in files}) > 1:
        raise CorpusError(f"{files[0].parent} holds parts of several kinds", hint="Give one file.")
    first = open_file(files[0])

    def records() -> Iterator[Record]:
        table = first
        for place, path in enumerate(files):
            if place:
                table = open_file(path)
                if first.later is None and set(table.columns) != set(first.columns):
                    raise CorpusError(f"{path.name} has other columns than {files[0].name}")
            yield from (Record(f"{path.name}, {record.place}", record.values) for record in table.records)
            if place and first.later is not None:
                known = {*first.columns, *first.later}
                first.later.extend(key for key in (*table.columns, *(table.later or ())) if key not in known)

    words = f"{first.format}, {len(files)} parts"
    return Table(first.columns, records(), first.class_names, words, first.notes, first.later)
