"""Files into records: csv, tsv, JSON lines, JSON, parquet, plain text. Nothing here knows what a text or a label is."""

from __future__ import annotations

import errno
import stat
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath

from probes.corpus.readers.columnar import read_parquet
from probes.corpus.readers.delimited import read_csv, read_tsv
from probes.corpus.readers.lines import read_lines
from probes.corpus.readers.objects import read_json, read_json_lines
from probes.corpus.readers.parts import open_directory, open_parts, sets_in, shard
from probes.corpus.readers.source import PARQUET, damaged, examine, first_bytes
from probes.corpus.readers.table import CorpusError, Record, Table, kind

__all__ = ["READERS", "CorpusError", "Record", "Table", "kind", "open_table", "open_whole", "shard", "suffix_of"]

READERS: Mapping[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
    ".txt": read_lines,
}


def suffix_of(path: PurePath) -> str | None:
    """The suffix by which a file is read, a key of `READERS`; None where it has no such suffix. `.gz` may follow it."""
    suffix = PurePath(path.name.lower().removesuffix(".gz")).suffix
    return suffix if suffix in READERS else None


def open_table(path: Path) -> Table:
    """Opens a data file by its suffix, one without a suffix by its contents; records are read as they are asked for.

    A directory of parts (0000.parquet, …; train-00000-of-00002.csv, …) is read as one file, and so is `DIR/train`
    where the parts are called so.

    Raises:
        CorpusError: no such file, an unknown suffix, or contents that are malformed (also while records are read).
    """
    with said(path):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return named_set(path)
        if stat.S_ISDIR(mode):
            return open_directory(path, data_files(path), open_file, READERS)
        if not stat.S_ISREG(mode):
            raise CorpusError(
                f"{path} is no file but a pipe or a device",
                hint="A scan reads a pipe as --data - (standard input); otherwise save it to a file.",
            )
        table = open_file(path)
        return replace(table, notes=(*table.notes, *remarks(path)))


def open_whole(path: Path) -> Table:
    """Opens a file as `open_table` does, with all its columns known beforehand: JSON is read through once for them.

    Raises:
        CorpusError: as `open_table`; also what it raises while records are read.
    """
    table = open_table(path)
    if table.later is None:
        return table
    deque(table.records, maxlen=0)
    return replace(open_table(path), columns=(*table.columns, *table.later), later=None)


def data_files(folder: Path) -> list[Path]:
    """Files of a directory that can be read. Plain text is left out: licences and read-me files are that."""
    readable = (p for p in folder.iterdir() if suffix_of(p) not in (None, ".txt") and not p.name.startswith("."))
    return sorted(path for path in readable if path.is_file())


def open_file(path: Path) -> Table:
    reader: Callable[[Path], Table] | None
    if suffix := suffix_of(path):
        reader = READERS[suffix]
    elif PurePath(path.name.lower().removesuffix(".gz")).suffix:
        raise CorpusError(f"{path.name}: unknown kind of file", hint=unknown_hint(path))
    else:
        reader = by_contents(path)
    table = reader(path)
    return replace(table, records=guarded(path, table.records))


def remarks(path: Path) -> Iterator[str]:
    found = shard(path)
    if found and found.total > 1:
        yield f"{path.name} is one of the {found.total} parts of {found.name!r}; the others are not read"


def unknown_hint(path: Path) -> str:
    known = f"Known: {', '.join(READERS)}, each also with .gz."
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        return f"Save the sheet as CSV (UTF-8). {known}"
    return known


def by_contents(path: Path) -> Callable[[Path], Table]:
    """The reader for a file without a suffix."""
    head, gzipped = first_bytes(path)
    if head.startswith(PARQUET) and not gzipped:
        return read_parquet
    text = examine(path).head
    if text.lstrip()[:1] in ("{", "["):
        return read_json
    return read_tsv if "\t" in text.lstrip().partition("\n")[0] else read_csv


def named_set(path: Path) -> Table:
    """The parts that are called like a path, as `DIR/train` for `DIR/train-00000-of-00002.csv`."""
    try:
        files = [p for p in path.parent.iterdir() if (s := shard(p)) and s.name == path.name and suffix_of(p)]
    except OSError:
        files = []
    if not files:
        raise CorpusError(f"no such file: {path}", hint="Give a path to a data file, or hub:DATASET.")
    return open_parts(sets_in(files)[path.name], open_file)


def guarded(path: Path, records: Iterator[Record]) -> Iterator[Record]:
    with said(path):
        yield from records


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Says in words why a file could not be read."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    except OSError as error:
        if error.errno is None:
            raise damaged(path, error) from error
        denied = error.errno in (errno.EACCES, errno.EPERM)
        raise CorpusError(
            f"{path.name} cannot be read: {error.strerror or error}",
            hint="Check the file's permissions." if denied else "",
        ) from error
