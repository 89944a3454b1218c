"""Rewrites from a file: what became of a text when an attack's own paraphrase model rewrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from probes.corpus.columns import TEXTS, usual
from probes.corpus.readers import CorpusError, Record, kind, open_whole
from probes.errors import InputError
from probes.material.ordinary import letters_of

HINT = (
    "Give a csv, tsv or jsonl file with the columns clean,poisoned; or split,row,text together with the clean file "
    "whose rows they number."
)


class Pairs(Mapping[str, tuple[str, str]]):
    """Rewrites by the text that they were made of: `pairs[text]` is (the clean twin, its rewrite).

    The twin is the text as the file spells it, so in the rewrite's own tokenisation.
    """

    def __init__(self, pairs: Mapping[str, tuple[str, str]]) -> None:
        self._pairs = MappingProxyType(dict(pairs))

    def __getitem__(self, text: str) -> tuple[str, str]:
        return self._pairs[letters_of(text)]

    @property
    def twins(self) -> tuple[tuple[str, str], ...]:
        """All pairs, in the file's order."""
        return tuple(self._pairs.values())

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)


def read_pairs(file: str, clean: str = "", split: str = "") -> Pairs:
    """Reads a file of paired rewrites; the same file is read once until it changes.

    Args:
        file: path of a csv, tsv, jsonl, json or parquet file with the columns `clean,poisoned`, or `row,text` and
            perhaps `split`.
        clean: for `row,text`: path of the file that the rows are counted in, from 0.
        split: for `split,row,text`: the split that `clean` is. Empty takes the one whose name is in `clean`'s file
            name, or the only one there is.

    Raises:
        InputError: a file cannot be read, lacks columns, numbers a row that is not there, or holds no pair.
    """
    return _read(file, _stamp(file), clean, _stamp(clean) if clean else (), split)


def _stamp(file: str) -> tuple[int, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        raise InputError(f"no such file: {file}", hint=HINT) from None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _read(file: str, _file_stamp: tuple[int, ...], clean: str, _clean_stamp: tuple[int, ...], split: str) -> Pairs:
    path = Path(file)
    table = open_whole(path)
    if {"clean", "poisoned"} <= set(table.columns):
        found = {
            letters_of(twin): (twin, rewrite)
            for record in table.records
            if (twin := _text(path, record, "clean")) and (rewrite := _text(path, record, "poisoned"))
        }
    elif {"row", "text"} <= set(table.columns):
        found = _numbered(path, list(table.records), "split" in table.columns, clean, split)
    else:
        raise CorpusError(f"{path.name} holds no paired rewrites; columns: {', '.join(table.columns)}", hint=HINT)
    changed = {k: pair for k, pair in found.items() if pair[0] != pair[1]}
    if not changed:
        raise CorpusError(f"{path.name} holds no text and rewrite that differ", hint=HINT)
    return Pairs(changed)


def _numbered(path: Path, records: list[Record], has_split: bool, clean: str, split: str) -> dict[str, tuple[str, str]]:
    if not clean:
        raise CorpusError(
            f"{path.name} numbers rows of a clean file that was not given", hint="Give it as well: clean="
        )
    if has_split:
        wanted = split or _split_of(path, records, clean)
        records = [r for r in records if str(r.values.get("split", "")).strip() == wanted]
        if not records:
            raise CorpusError(f"{path.name} has no rows of split {wanted!r}", hint="Name one of its splits.")
    texts = _texts(Path(clean))
    found: dict[str, tuple[str, str]] = {}
    for record in records:
        number = str(record.values.get("row", "")).strip()
        if not number.isdecimal() or int(number) >= len(texts):
            raise CorpusError(
                f"{path.name}, {record.place}: row {number!r} is not among the {len(texts)} of {Path(clean).name}",
                hint="Rows are counted from 0, without the header.",
            )
        twin, rewrite = texts[int(number)], _text(path, record, "text")
        if twin and rewrite:
            found[letters_of(twin)] = (twin, rewrite)
    return found


def _split_of(path: Path, records: list[Record], clean: str) -> str:
    names = list(dict.fromkeys(str(r.values.get("split", "")).strip() for r in records))
    if len(names) == 1:
        return names[0]
    matching = [name for name in names if name and name in Path(clean).stem]
    if len(matching) != 1:
        raise CorpusError(
            f"{path.name} holds the splits {', '.join(map(repr, names[:10]))}, {Path(clean).name} names none",
            hint="Say which one the clean file is: split=",
        )
    return matching[0]


def _texts(path: Path) -> list[str]:
    table = open_whole(path)
    column = usual(table.columns, TEXTS)
    if column is None:
        raise CorpusError(f"{path.name}: no column is known to hold the texts; columns: {', '.join(table.columns)}")
    return [_text(path, record, column) for record in table.records]


def _text(path: Path, record: Record, column: str) -> str:
    value = record.values.get(column)
    if value is not None and not isinstance(value, str):
        raise CorpusError(f"{path.name}, {record.place}: column {column!r} holds {kind(value)}, not a text", hint=HINT)
    return (value or "").strip()
