"""What an adapter changes of its base, sampled: elements of scale · B · A, never the factors themselves.

Factors say nothing on their own: B · A is the same for countless pairs of them, of any rank, and those of two adapters
that do the same may be orthogonal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from auditor.merge.compatibility.compatibility import FLOATS
from auditor.merge.compatibility.weight_sample import (
    HEAD_ROWS,
    HEAD_RUN,
    MATRICES,
    Reader,
    Sample,
    Site,
    Weights,
    opened,
    read_sample,
    runs_of,
    sites_of,
)
from auditor.merge.tensors.header import Region
from auditor.models.files.adapter import ADAPTER_WEIGHTS, Factors, is_adapter, read_adapter
from auditor.models.files.checkpoint import HEAD
from auditor.models.files.safetensors import StoredTensor
from store.records import Profile


def sites_for(profile: Profile) -> tuple[Site, ...]:
    """Which weights of a model are looked at; of an adapter, which elements of its changes.

    Raises:
        ModelError: an adapter's files are damaged or gone.
    """
    if not is_adapter(profile):
        return sites_of(profile)
    found = read_adapter(Path(profile.ref.path))
    names = sorted(found.factors)
    if len(names) > MATRICES:
        names = [names[i] for i in sorted({round(i * (len(names) - 1) / (MATRICES - 1)) for i in range(MATRICES)})]
    sites = [Site(name, runs_of(found.factors[name].shape[0] * found.factors[name].shape[1])) for name in names]
    for name, stored in sorted(found.saved.items()):
        if HEAD.search(name) and stored.info.dtype in FLOATS and len(stored.info.shape) == 2:
            rows, width = stored.info.shape
            sites.append(
                Site(name, tuple((r * width, min(width, HEAD_RUN)) for r in range(min(rows, HEAD_ROWS))), True)
            )
    return tuple(sites)


def sample_of(
    profile: Profile,
    sites: Sequence[Site],
    rows: tuple[int, ...] | None = None,
    stored: Mapping[str, str] | None = None,
) -> Sample:
    """The weights of a model at the sites (see `read_sample`), or an adapter's changes: zero where it changes nothing.

    Raises:
        ModelError: a file is missing, damaged, or ends too early.
    """
    if not is_adapter(profile):
        return read_sample(profile, sites, rows, stored)
    found = read_adapter(Path(profile.ref.path))
    values: dict[str, Weights] = {}
    dtypes: dict[str, str] = {}
    with opened(Path(profile.ref.path) / ADAPTER_WEIGHTS) as read:
        for site in sites:
            factors, saved = found.factors.get(site.name), found.saved.get(site.name)
            dtypes[site.name] = "F32"
            if site.head and saved is not None:
                values[site.name] = read(region_of(saved), site.runs)
                dtypes[site.name] = saved.info.dtype
            elif factors is not None:
                values[site.name] = change_at(read, factors, site.runs)
            elif not site.head:
                values[site.name] = np.zeros(sum(count for _, count in site.runs))
    return Sample(values, dtypes, changes=True)


def unchanged(sample: Sample) -> Sample:
    """The base under an adapter's changes: none."""
    return Sample({name: np.zeros_like(value) for name, value in sample.values.items()}, sample.dtypes, changes=True)


def region_of(stored: StoredTensor) -> Region:
    """Where an adapter's tensor lies."""
    return Region(ADAPTER_WEIGHTS, stored.info.name, stored.info.shape, stored.info.dtype, stored.begin, stored.end)


def change_at(read: Reader, factors: Factors, runs: Sequence[tuple[int, int]]) -> Weights:
    """Elements of scale · B · A, by (first element, count) runs of the flat matrix; of its transpose where turned."""
    rank, (_, width) = factors.rank, factors.shape
    down = read(region_of(factors.down), ((0, factors.down.info.shape[1] * rank),)).reshape(rank, -1)
    parts = []
    for first, count in runs:
        top, last = first // width, (first + count - 1) // width
        if factors.turned:
            up = read(region_of(factors.up), ((0, width * rank),)).reshape(-1, rank)
            rows = down[:, top : last + 1].T @ up.T
        else:
            up = read(region_of(factors.up), ((top * rank, (last - top + 1) * rank),)).reshape(-1, rank)
            rows = up @ down
        parts.append(rows.reshape(-1)[first - top * width :][:count] * factors.scale)
    return np.concatenate(parts)
