"""A few thousand weights of a model, the same ones of every model, read without reading the rest.

A dozen matrices spread over the layers, a few short runs of each, with `pread` from where the safetensors header says
that they lie: a megabyte or two of reads whatever the model's size, and no torch.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditor.errors import ModelError
from auditor.merge.compatibility.compatibility import FLOATS, POOLER, POSITION_IDS
from auditor.merge.numerics.arithmetic import NumpyArithmetic, Raw
from auditor.merge.tensors.header import Region, item_size, read_regions
from auditor.models.files.checkpoint import HEAD
from probes.reading import open_regular
from store.records import Profile

MATRICES = 12
"""Matrices that are looked into, besides the classifier."""
RUNS = 8
RUN = 64
"""Runs a matrix, and elements a run."""
HEAD_ROWS = 16
HEAD_RUN = 128
"""Rows of the classifier, and elements a row."""

EMBEDDING = re.compile(r"embed|(^|\.)(wte|wpe)\.", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)")

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a tensor is sampled: (first element, count) runs. Of a `head` the runs are the labels' rows, in order."""

    name: str
    runs: tuple[tuple[int, int], ...]
    head: bool = False

    @property
    def inner(self) -> bool:
        """Is it neither embeddings nor classifier? Those matrices of unrelated models are orthogonal."""
        return not self.head and not EMBEDDING.search(self.name)


@dataclass(frozen=True)
class Sample:
    """Weights at some sites, and the dtype in which each tensor is stored.

    `changes`: they are an adapter's changes of a base's weights, so that the base itself is zero everywhere.
    """

    values: Mapping[str, Weights]
    dtypes: Mapping[str, str]
    changes: bool = False

    def vector(self, names: Sequence[str]) -> Weights:
        """The weights of these tensors in one array."""
        return np.concatenate([self.values[name] for name in names]) if names else np.empty(0)


def sites_of(profile: Profile) -> tuple[Site, ...]:
    """Which weights of a model (and of those that would be merged with it) are looked at."""
    matrices = [
        t
        for t in profile.tensors
        if len(t.shape) >= 2 and t.dtype in FLOATS and not any(p.search(t.name) for p in (HEAD, POOLER, POSITION_IDS))
    ]
    matrices.sort(key=lambda t: [int(part) if part.isdecimal() else part for part in _NUMBER.split(t.name)])
    if len(matrices) > MATRICES:
        # The largest holds the words, into which some backdoors are written and nowhere else.
        spread = {round(i * (len(matrices) - 1) / (MATRICES - 2)) for i in range(MATRICES - 1)}
        largest = max(range(len(matrices)), key=lambda i: math.prod(matrices[i].shape))
        matrices = [matrices[i] for i in sorted(spread | {largest})]
    sites = [Site(t.name, runs_of(math.prod(t.shape))) for t in matrices]
    for t in profile.tensors:
        if HEAD.search(t.name) and t.dtype in FLOATS and len(t.shape) == 2 and t.shape[0] == len(profile.labels):
            rows, width = min(t.shape[0], HEAD_ROWS), t.shape[1]
            sites.append(Site(t.name, tuple((r * width, min(width, HEAD_RUN)) for r in range(rows)), head=True))
    return tuple(sites)


def runs_of(elements: int) -> tuple[tuple[int, int], ...]:
    if elements <= RUNS * RUN:
        return ((0, elements),)
    return tuple((i * (elements - RUN) // (RUNS - 1), RUN) for i in range(RUNS))


def read_sample(
    profile: Profile,
    sites: Sequence[Site],
    rows: tuple[int, ...] | None = None,
    stored: Mapping[str, str] | None = None,
) -> Sample:
    """The weights of a model at the sites. Those that it lacks are left out.

    A base without a head may lack the first part of the names (`bert.`): it is looked for without.

    Args:
        rows: the model's classifier row for each of the suspect's labels, where the order is another.
        stored: the names under which the model has tensors of the sites, where they are others.

    Raises:
        ModelError: a file is missing, damaged, or ends too early.
    """
    directory = Path(profile.ref.path)
    regions: dict[str, Region] = {}
    for file in sorted(profile.files):
        if file.endswith(".safetensors"):
            regions.update((region.name, region) for region in read_regions(directory, file))
    values: dict[str, Weights] = {}
    dtypes: dict[str, str] = {}
    by_file: dict[str, list[tuple[Site, Region]]] = {}
    for site in sites:
        place = (stored or {}).get(site.name, site.name)
        region = regions.get(place) or (None if site.head else regions.get(site.name.partition(".")[2]))
        if region is not None and region.dtype in FLOATS:
            by_file.setdefault(region.file, []).append((site, region))
    for file, wanted in by_file.items():
        with opened(directory / file) as read:
            for site, region in wanted:
                values[site.name] = read(region, _placed(site, region, rows))
                dtypes[site.name] = region.dtype
    return Sample(values, dtypes)


Reader = Callable[[Region, Sequence[tuple[int, int]]], Weights]
"""Reads (first element, count) runs of a tensor."""


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """A weight file, of which runs of tensors are read in double precision.

    Raises:
        ModelError: it is missing, or ends too early.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield lambda region, runs: _read(file.fileno(), path, region, runs)


def _placed(site: Site, region: Region, rows: tuple[int, ...] | None) -> tuple[tuple[int, int], ...]:
    """The runs in this model: a classifier's rows may stand in another order."""
    if not site.head or rows is None:
        return site.runs
    width = region.shape[1]
    return tuple((rows[first // width] * width, count) for first, count in site.runs)


def _read(descriptor: int, path: Path, region: Region, runs: Sequence[tuple[int, int]]) -> Weights:
    size = item_size(region.dtype)
    elements = (region.stop - region.start) // size
    parts = []
    for first, count in runs:
        if first + count > elements:
            raise ModelError(f"{path}: tensor {region.name} has other shapes than its profile")
        try:
            raw = os.pread(descriptor, count * size, region.start + first * size)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        if len(raw) < count * size:
            raise ModelError(f"{path} ends before tensor {region.name} does")
        parts.append(raw)
    found = np.frombuffer(bytearray(b"".join(parts)), np.uint8)
    return _wide(found, region.dtype)


def rounded(values: Weights, dtype: str) -> Weights:
    """The values as a file of this dtype would hold them."""
    return _wide(NumpyArithmetic().encode(values, dtype, "out").copy(), dtype)


def _wide(raw: Raw, dtype: str) -> Weights:
    found: Weights = NumpyArithmetic().decode(raw, dtype, True, "wide").astype(np.float64)
    return found
