"""Where each model holds the tensors that are merged, under the names of the output.

A table hides how a model stores a tensor: under an older name, without the prefix of its class, tied to another
tensor, or as a base's tensor with an adapter's low-rank change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import ModelError
from auditor.merge.tensors.header import Region, read_regions
from auditor.models.files.adapter import ADAPTER_WEIGHTS, is_adapter
from auditor.models.files.names import INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS, SHARED_EMBEDDINGS, place_of
from auditor.models.files.safetensors import find_weights
from store.records import Profile

APART = frozenset({"t5gemma"})
"""Model types whose encoder and decoder have input embeddings of their own."""


@dataclass(frozen=True, slots=True)
class Low:
    """A low-rank change of a tensor: scale · up · down, stored in the files of owner `owner`.

    Of a tensor that is `turned` (inputs × outputs) it is scale · downᵀ · upᵀ.
    """

    owner: int
    down: Region
    up: Region
    scale: float
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a tensor that others stand in the place of: row i of `region`, of owner `owner`, for row indices[i]."""

    owner: int
    region: Region
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor as a model holds it: in the files of owner `owner`, with a low-rank change or other rows, or neither."""

    owner: int
    region: Region
    low: Low | None = None
    tokens: Rows | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.region.shape

    @property
    def dtype(self) -> str:
        return self.region.dtype


Table = Mapping[str, Piece]


def weight_files(profile: Profile) -> tuple[str, ...]:
    """The model's weight files, in the order in which they are read.

    Raises:
        ModelError: a file is missing, damaged, or was not there when the model was profiled.
        UsageError: the model's directory holds no weights any more.
    """
    files = (ADAPTER_WEIGHTS,) if is_adapter(profile) else find_weights(Path(profile.ref.path)).files
    if unknown := [name for name in files if name not in profile.files]:
        raise changed(profile, f"{unknown[0]} was not there")
    return files


def changed(profile: Profile, how: str) -> ModelError:
    """The error that a model's files are no longer those that were profiled."""
    return ModelError(
        f"{profile.ref.reference} has changed since it was profiled: {how}",
        hint="Run the command again, so that the model is profiled anew.",
    )


def own_table(profile: Profile, owner: int) -> dict[str, Piece]:
    """A whole model's tensors under its own names, checked against its profile.

    Raises:
        ModelError: a file is missing, damaged, or not the one that was profiled.
    """
    regions: dict[str, Region] = {}
    for name in weight_files(profile):
        for region in read_regions(Path(profile.ref.path), name):
            regions[region.name] = region
    profiled = {t.name: (tuple(t.shape), t.dtype) for t in profile.tensors}
    if profiled != {name: (region.shape, region.dtype) for name, region in regions.items()}:
        raise changed(profile, "its tensors are others")
    return {name: Piece(owner, region) for name, region in regions.items()}


def renamed(table: Table, names: set[str]) -> dict[str, Piece]:
    """A base's tensors under the names that the output has, as far as they are in it."""
    found = {}
    for name in names:
        place = place_of(name, table)
        if place is not None:
            found[name] = table[place]
    return found


def tied_source(tensor: str, names: Collection[str], model_type: str, *, output: bool) -> str | None:
    """The stored tensor that a model uses for one which it does not store; None if it uses none.

    Encoder and decoder share their input embeddings in most model types (BART, T5). With `output`, the output
    embeddings, which are the input's where a model's config ties the two, are asked for as well.
    """
    shared = SHARED_EMBEDDINGS.search(tensor)
    if shared and model_type not in APART:
        head = tensor[: shared.start()]
        places = (f"{head}{part}.weight" for part in ("shared", "encoder.embed_tokens", "decoder.embed_tokens"))
        return next((place for place in places if place in names and place != tensor), None)
    if not output or not OUTPUT_EMBEDDINGS.search(tensor):
        return None
    return next((name for name in sorted(names) if INPUT_EMBEDDINGS.search(name)), None)
