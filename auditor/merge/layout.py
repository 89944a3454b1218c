"""The output's layout, computed before anything is written: which tensor lies where, and what it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import IncompatibleError, ModelError
from auditor.merge.header import Region, read_regions, write_header
from auditor.merge.inventory import FLOATS, SHOWN, Match, match
from auditor.merge.recipe import Recipe, normalise
from auditor.models.safety import find_weights
from store.records import Profile, TensorInfo


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor of one model: `model` counts suspect, partners, base; `rows` reorders the first axis."""

    model: int
    region: Region
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the output: its place, and its sources with a weight each (the suspect's first; they sum to 1).

    `copied` tensors are taken from the suspect bit for bit.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    start: int
    sources: tuple[Source, ...]
    weights: tuple[float, ...]
    base: Source | None = None
    copied: bool = False

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def inputs(self) -> tuple[Source, ...]:
        """Every source that is read, the base last."""
        return (*self.sources, self.base) if self.base else self.sources


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A weight file of the output: its name, its header's bytes, and its full size in bytes."""

    name: str
    header: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a merge will write. `models` are suspect, partners and base; `carried` the suspect's files taken over."""

    models: tuple[Profile, ...]
    outputs: tuple[OutputFile, ...]
    tensors: tuple[TensorPlan, ...]
    carried: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the weight files."""
        return sum(output.size for output in self.outputs)


def weight_files(profile: Profile) -> tuple[str, ...]:
    """The model's weight files, in the order in which they are read.

    Raises:
        ModelError: a file is missing, damaged, or was not there when the model was profiled.
        UsageError: the model's directory holds no weights any more.
    """
    files = find_weights(Path(profile.ref.path)).files
    if unknown := [name for name in files if name not in profile.files]:
        raise changed(profile, f"{unknown[0]} was not there")
    return files


def changed(profile: Profile, how: str) -> ModelError:
    """The error that a model's files are no longer those that were profiled."""
    return ModelError(
        f"{profile.ref.reference} has changed since it was profiled: {how}",
        hint="run the command again, so that the model is profiled anew",
    )


def lay_out(recipe: Recipe) -> Layout:
    """The layout of a merge: the suspect's sharding, order and dtypes.

    Raises:
        IncompatibleError: the models cannot be merged; the message names model, tensor, shapes or labels.
        ModelError: a weight file is missing, damaged, or not the one that was profiled.
    """
    matches = [match(recipe.suspect, partner) for partner in recipe.partners]
    for partner, found in zip(recipe.partners, matches, strict=True):
        if found.blockers:
            raise IncompatibleError(
                f"{partner.ref.reference} cannot be merged with {recipe.suspect.ref.reference}: "
                + "; ".join(found.blockers),
                hint="`auditor partners` lists the models that can",
            )
    models = (*recipe.models, recipe.base) if recipe.base else recipe.models
    tables = [_regions(model) for model in models]
    headers = {name: [r for r in tables[0].values() if r.file == name] for name in weight_files(recipe.suspect)}
    outputs: list[OutputFile] = []
    tensors: list[TensorPlan] = []
    for name, regions in headers.items():
        output, planned = _output_file(name, regions, recipe, matches, tables)
        outputs.append(output)
        tensors += planned
    notes = [note for found in matches for note in found.reconciled] + _base_notes(recipe, tables)
    notes += _copy_notes(tensors)
    carried = tuple(sorted(set(recipe.suspect.files) - set(headers)))
    return Layout(models, tuple(outputs), tuple(tensors), carried, tuple(notes))


def _regions(profile: Profile) -> dict[str, Region]:
    """All tensors of a model, checked against its profile."""
    regions: dict[str, Region] = {}
    for name in weight_files(profile):
        for region in read_regions(Path(profile.ref.path), name):
            regions[region.name] = region
    profiled = {t.name: (tuple(t.shape), t.dtype) for t in profile.tensors}
    if profiled != {name: (region.shape, region.dtype) for name, region in regions.items()}:
        raise changed(profile, "its tensors are others")
    return regions


def _output_file(
    name: str, regions: list[Region], recipe: Recipe, matches: list[Match], tables: list[dict[str, Region]]
) -> tuple[OutputFile, list[TensorPlan]]:
    head = write_header(TensorInfo(r.name, r.shape, r.dtype) for r in regions)
    start = len(head)
    planned = []
    for region in regions:
        planned.append(_tensor(region, start, recipe, matches, tables))
        start += region.stop - region.start
    return OutputFile(name, head, start), planned


def _tensor(
    region: Region, start: int, recipe: Recipe, matches: list[Match], tables: list[dict[str, Region]]
) -> TensorPlan:
    own = Source(0, region)
    sources, weights = [own], [recipe.coefficients[0]]
    if region.dtype in FLOATS:
        for model, found in enumerate(matches, start=1):
            other = tables[model].get(region.name)
            if other is not None and other.dtype in FLOATS and other.shape == region.shape:
                sources.append(Source(model, other, found.rows if region.name in found.permuted else None))
                weights.append(recipe.coefficients[model])
    copied = len(sources) == 1 or sum(weights) == 0
    base = None
    if not copied and recipe.base is not None:
        stated = tables[-1].get(region.name)
        if stated is not None and stated.shape == region.shape and stated.dtype in FLOATS:
            base = Source(len(tables) - 1, stated)
    if copied:
        sources, weights = [own], [1.0]
    return TensorPlan(
        region.name,
        region.shape,
        region.dtype,
        region.file,
        start,
        tuple(sources),
        normalise(tuple(weights)),
        base,
        copied,
    )


def _base_notes(recipe: Recipe, tables: list[dict[str, Region]]) -> list[str]:
    if recipe.base is None:
        return []
    ours, theirs = tables[0], tables[-1]
    shared = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    if not shared:
        raise IncompatibleError(f"the base {recipe.base.ref.reference} shares no tensor with the suspect")
    lacking = sorted(name for name in ours.keys() - set(shared) if ours[name].dtype in FLOATS)
    if not lacking:
        return []
    named = ", ".join(lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
    return [f"{len(lacking)} tensors are not in the base {recipe.base.ref.reference} ({named}): merged without it"]


def _copy_notes(tensors: list[TensorPlan]) -> list[str]:
    kept = [tensor.name for tensor in tensors if tensor.copied]
    if not kept:
        return []
    named = ", ".join(kept[:SHOWN]) + (", …" if len(kept) > SHOWN else "")
    return [f"{len(kept)} tensors are copied from the suspect ({named})"]
