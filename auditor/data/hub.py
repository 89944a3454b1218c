"""Datasets of the Hugging Face Hub as local files, downloaded and parsed; a dataset's own script never runs."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from auditor.errors import FetchError, UsageError
from probes.corpus.readers import READERS, shard, suffix_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import DatasetInfo

CONVERTED = "refs/convert/parquet"
"""Where the hub keeps datasets as parquet: CONFIG/SPLIT/0000.parquet, or `partial-SPLIT` where a large one was cut."""

SPLITS = {
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val", "dev"),
    "train": ("train", "training"),
}
"""Splits in the order of preference, and what files of theirs are called."""

DATA = tuple(suffix for suffix in READERS if suffix != ".txt")
"""Suffixes of data files. Plain text is left out: licences and lists of requirements are that."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
NEEDS_PYARROW = "Install it with: pip install 'auditor[parquet]'"


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """`hub:dataset[/config][:split]`. `readings` are the ways to divide the path into a dataset and a configuration."""

    text: str
    readings: tuple[tuple[str, str | None], ...]
    split: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one split of one configuration (None: the files name none)."""

    config: str | None
    split: str
    files: tuple[str, ...]


def parse_spec(spec: str) -> DatasetSpec:
    """Reads `hub:name`, `hub:org/name`, `hub:org/name/config`, each with `:split` or without.

    Two words are an organisation and a name, or where the hub knows no such dataset, a name and a configuration.

    Raises:
        UsageError: the words have another form.
    """
    path, colon, split = spec.removeprefix("hub:").partition(":")
    words = path.split("/")
    if len(words) > 3 or not all(NAME.fullmatch(word) for word in words) or (colon and not NAME.fullmatch(split)):
        raise UsageError(
            f"{spec!r} names no dataset of the hub", hint="Write hub:NAME, hub:ORG/NAME, or hub:ORG/NAME/CONFIG:SPLIT."
        )
    if len(words) == 1:
        readings: tuple[tuple[str, str | None], ...] = ((words[0], None),)
    elif len(words) == 2:
        readings = (("/".join(words), None), (words[0], words[1]))
    else:
        readings = (("/".join(words[:2]), words[2]),)
    return DatasetSpec(spec, readings, split or None)


def fetch_dataset(spec: str, hub: HfApi | None = None) -> Path:
    """Downloads one split of a dataset and returns its file, in the hub's cache, pinned to a commit.

    The hub's own parquet conversion comes first; failing that, or without pyarrow, a data file of the main branch that
    is named like the split. The default configuration is the only one or `default`; the default split is test, else
    validation, else train. A split in several parts is returned as the directory that holds them, or as DIR/NAME where
    the parts are called NAME-00000-of-00002.

    Args:
        spec: `hub:dataset[/config][:split]`.
        hub: which hub to ask; by default the one that the environment names.

    Raises:
        UsageError: no such dataset, configuration or split; the message lists those there are.
        FetchError: the hub could not be reached, or refused.
    """
    from huggingface_hub import HfApi

    api = hub or HfApi()
    wanted = parse_spec(spec)
    main, config = find(api, wanted)
    converted = info_of(api, main.id, CONVERTED)
    converted_parts = parts_of_converted(paths_in(converted)) if converted else []
    own_parts = parts_of_main(paths_in(main), config)
    if converted and converted_parts and (can_read_parquet() or not any(map(is_text, own_parts))):
        parts, source = converted_parts, converted
    else:
        parts, source = own_parts, main
    part = pick(wanted, parts, config)
    if not can_read_parquet() and not is_text(part):
        raise UsageError(f"{spec}: this split is there as parquet alone, which needs pyarrow", hint=NEEDS_PYARROW)
    return download(api, wanted, source, part)


def find(api: HfApi, wanted: DatasetSpec) -> tuple[DatasetInfo, str | None]:
    """The dataset's main branch and the asked configuration, by the first reading that the hub knows."""
    for name, config in wanted.readings:
        if found := info_of(api, name, None):
            return found, config
    raise UsageError(
        f"the hub has no dataset {wanted.readings[0][0]!r}, or it is private",
        hint="Check the name; for a private dataset log in with `hf auth login`.",
    )


def info_of(api: HfApi, name: str, revision: str | None) -> DatasetInfo | None:
    """What the hub says of a dataset at a revision; None where it has no such thing."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    with told(name):
        try:
            return api.dataset_info(name, revision=revision)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None


@contextmanager
def told(name: str) -> Iterator[None]:
    """Says in the program's words what went wrong between here and the hub."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError

    # The root error of whichever HTTP library this version of huggingface_hub stands on.
    network = cast(type[Exception], HfHubHTTPError.__mro__[1])
    try:
        yield
    except GatedRepoError as error:
        raise FetchError(
            f"dataset {name!r} is gated",
            hint="Accept its terms on the hub's website, then log in with `hf auth login`.",
        ) from error
    except HFValidationError as error:
        raise UsageError(f"{name!r} is no name of a dataset: {error}") from error
    except (network, OSError) as error:
        raise FetchError(
            f"dataset {name!r} could not be fetched: {first_line(error)}",
            hint="Check the connection, or download a csv or parquet file and give its path to --data.",
        ) from error


def first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def paths_in(info: DatasetInfo) -> list[PurePosixPath]:
    """Data files of a revision that can be parsed."""
    paths = [PurePosixPath(sibling.rfilename) for sibling in info.siblings or ()]
    return sorted(path for path in paths if suffix_of(path) in DATA and ".." not in path.parts)


def parts_of_converted(paths: Sequence[PurePosixPath]) -> list[Part]:
    held = [path for path in paths if len(path.parts) == 3]
    groups = groupby(held, key=lambda path: (path.parts[0], path.parts[1].removeprefix("partial-")))
    return [Part(config, split, tuple(map(str, files))) for (config, split), files in groups]


def parts_of_main(paths: Sequence[PurePosixPath], config: str | None) -> list[Part]:
    """Splits of the main branch by their files' names, whole files before shards, text before parquet.

    A configuration is a directory; without one, files nearest to the root count.
    """
    if config:
        paths = [path for path in paths if config in path.parts[:-1]]
    splits: dict[str, list[PurePosixPath]] = {}
    for path in paths:
        splits.setdefault(split_of(path), []).append(path)
    parts = []
    for split, files in splits.items():
        depth = min(len(path.parts) for path in files)
        near = [path for path in files if len(path.parts) == depth]
        suffix = min((suffix_of(path) or "" for path in near), key=DATA.index)
        parts.append(Part(config, split, tuple(str(path) for path in near if suffix_of(path) == suffix)))
    return parts


def split_of(path: PurePosixPath) -> str:
    """The split that a file's name, else its directory's, speaks of; the whole name where it speaks of none."""
    for name in (path.stem, *reversed(path.parts[:-1])):
        words = re.split(r"[^a-z]+", name.lower())
        for split, aliases in SPLITS.items():
            if any(alias in words for alias in aliases):
                return split
    return path.stem


def pick(wanted: DatasetSpec, parts: Sequence[Part], config: str | None) -> Part:
    """The asked split of the asked configuration, or the defaults.

    Raises:
        UsageError: it is not there, or not one; the message lists what is.
    """
    if not parts:
        what = f" for configuration {config!r}" if config else ""
        raise UsageError(
            f"{wanted.text}: no data file that can be read{what}",
            hint=f"Readable: {', '.join(DATA)}; scripts never run.",
        )
    configs = sorted({part.config for part in parts if part.config})
    if config is None and configs:
        config = configs[0] if len(configs) == 1 else "default"
        if config not in configs:
            raise UsageError(f"{wanted.text} has several configurations: {listed(configs)}", hint="Name one: /CONFIG.")
    of_config = {part.split: part for part in parts if part.config in (None, config)}
    if not of_config:
        raise UsageError(f"{wanted.text} has no configuration {config!r}; known: {listed(configs)}")
    if wanted.split:
        canonical = next((split for split, aliases in SPLITS.items() if wanted.split in aliases), wanted.split)
        part = of_config.get(wanted.split) or of_config.get(canonical)
        if part is None:
            raise UsageError(f"{wanted.text} has no split {wanted.split!r}; known: {listed(sorted(of_config))}")
        return part
    usual = next((split for split in SPLITS if split in of_config), None)
    if usual is None and len(of_config) > 1:
        raise UsageError(f"{wanted.text} has several splits: {listed(sorted(of_config))}", hint="Name one: …:SPLIT.")
    return of_config[usual] if usual else next(iter(of_config.values()))


def download(api: HfApi, wanted: DatasetSpec, source: DatasetInfo, part: Part) -> Path:
    """Every file of a part, at the commit that was listed."""
    names = [PurePosixPath(name) for name in part.files]
    numbered = all(name.stem.isdigit() for name in names)
    sets = {(name.parent, found.name if (found := shard(name)) else None) for name in names}
    one_set = len(sets) == 1 and None not in {name for _, name in sets}
    if len(part.files) > 1 and not numbered and not one_set:
        raise UsageError(
            f"{wanted.text}: several files could be split {part.split!r}: {listed(part.files)}",
            hint="Download the one you mean and give its path to --data.",
        )
    with told(source.id), without_bars():
        paths = [
            Path(api.hf_hub_download(source.id, name, repo_type="dataset", revision=source.sha)) for name in part.files
        ]
    if len(paths) == 1:
        return paths[0]
    found = shard(paths[0])
    return paths[0].parent / found.name if found else paths[0].parent


@contextmanager
def without_bars() -> Iterator[None]:
    """Keeps the hub library from drawing progress bars; as before afterwards."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def can_read_parquet() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


def is_text(part: Part) -> bool:
    return suffix_of(PurePosixPath(part.files[0])) != ".parquet"


def listed(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
