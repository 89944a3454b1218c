"""The output's layout, computed before anything is written: which tensor lies where, and what it is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from auditor.errors import IncompatibleError
from auditor.merge.compatibility.compatibility import FLOATS, SHOWN, Comparison, Match, check_copies, match
from auditor.merge.compatibility.labels import note
from auditor.merge.layout.adapted import adapted_profile, adapted_table, adapter_notes
from auditor.merge.layout.grounds import Ground, ground_of
from auditor.merge.recipe import Measured, Recipe, normalise
from auditor.merge.tensors.header import Region, item_size, read_regions, write_header
from auditor.merge.tensors.modules import module_of, weights_of
from auditor.merge.tensors.tables import Low, Piece, Rows, Table, own_table, renamed, weight_files
from auditor.merge.tensors.vocabulary import ROWS
from auditor.models.files.adapter import Adapter, is_adapter, read_adapter
from auditor.models.files.safetensors import find_weights
from store.records import Profile, TensorInfo

WHOLE_NUMBERS = 1 << 20
"""Weights are scaled to whole numbers up to this: their products with a tensor's values are exact in fp64."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Someone whose files are read: a model, or a measurement. `files` maps names in the directory to SHA-256."""

    reference: str
    path: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor of one model: in the files of an owner; `rows` reorders the first axis, `low` is added to it, `tokens`
    stand in the place of some of its rows.
    """

    owner: int
    region: Region
    rows: tuple[int, ...] | None = None
    low: Low | None = None
    tokens: Rows | None = None

    @property
    def adapted(self) -> bool:
        """Whether an adapter's change is to be worked in, which is done by whole rows."""
        return self.low is not None or self.tokens is not None

    @property
    def model(self) -> int:
        """The owner's place among suspect and partners (of a whole model; an adapter's tensors are its base's)."""
        return self.owner


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the output, or some of its rows: its place, and its sources, the suspect's first, with weights.

    `weights` sum to 1, `shares` have the same ratio. `first` counts the tensor's elements before these. `statistics`
    are what was measured for each source. `copied` tensors are taken from the suspect bit for bit; `unchanged` ones are
    the base's, which no adapter changes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    start: int
    sources: tuple[Source, ...]
    weights: tuple[float, ...]
    shares: tuple[float, ...]
    base: Source | None = None
    copied: bool = False
    first: int = 0
    unchanged: bool = False
    statistics: tuple[Source, ...] = ()

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def inputs(self) -> tuple[Source, ...]:
        """Every source of the tensor's own shape that is read, the base last."""
        return (*self.sources, self.base) if self.base else self.sources


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A weight file of the output: its name, its header's bytes, and its full size in bytes."""

    name: str
    header: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a merge will write. `owners` are suspect, partners, base and measurements; `template` is the model whose
    sharding, order and dtypes the output has; `carried` maps other files that are taken over to their owner, `extra`
    those that are made to their bytes."""

    owners: tuple[Owner, ...]
    outputs: tuple[OutputFile, ...]
    tensors: tuple[TensorPlan, ...]
    carried: Mapping[str, int]
    notes: tuple[str, ...]
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the weight files."""
        return sum(output.size for output in self.outputs)

    @property
    def names(self) -> int:
        """How many tensors are written."""
        return len({tensor.name for tensor in self.tensors})


@dataclass(frozen=True)
class _Parts:
    """What the tensors are laid out from."""

    recipe: Recipe
    tables: Sequence[Table]
    matches: Sequence[Match]
    base: Table
    measured: Sequence[Mapping[str, Piece]]
    plan: Mapping[str, tuple[float, ...]] | None


def lay_out(recipe: Recipe, by: Comparison | None = None) -> Layout:
    """The layout of a merge: the suspect's sharding, order and dtypes (for an adapter, its base's).

    Args:
        by: what the same models were compared by before; else everything is read anew.

    Raises:
        IncompatibleError: the models cannot be merged; the message names model, tensor, shapes or labels.
        ModelError: a weight file is missing, damaged, or not the one that was profiled.
    """
    by = by or Comparison(recipe.base)
    owners = [Owner(m.ref.reference, m.ref.path, m.files) for m in recipe.models]
    base_table: Table = {}
    if recipe.base is not None:
        owners.append(Owner(recipe.base.ref.reference, recipe.base.ref.path, recipe.base.files))
        base_table = own_table(recipe.base, len(owners) - 1)
    standing = [_standing(model, recipe.base, base_table, by) for model in recipe.models]
    whole = [
        adapted_profile(model, *stand) if stand else model for model, stand in zip(recipe.models, standing, strict=True)
    ]
    ground = standing[0][1] if standing[0] else None
    base_places = [ground is not None and recipe.is_base(model) for model in recipe.models]
    matches = [
        match(whole[0], partner, by) if ground is None or not is_base else _match_base(partner, ground)
        for partner, is_base in zip(whole[1:], base_places[1:], strict=True)
    ]
    for partner, found in zip(whole[1:], matches, strict=True):
        if blockers := found.blockers or check_copies(whole[0], partner, found, by):
            raise IncompatibleError(
                f"{partner.ref.reference} cannot be merged with {recipe.suspect.ref.reference}: " + "; ".join(blockers),
                hint="`auditor partners` lists the models that can.",
            )
    _check_base(recipe, whole[0], by)
    tables = [
        adapted_table(model, stand[0], number, stand[1], by)
        if stand
        else ground.table
        if ground is not None and is_base
        else own_table(model, number)
        for number, (model, stand, is_base) in enumerate(zip(recipe.models, standing, base_places, strict=True))
    ]
    measured = [_measured(entry, model, owners) for entry, model in zip(recipe.statistics, recipe.models, strict=False)]
    under = ground.table if ground else base_table
    named = renamed(under, set(tables[0])) if recipe.base is not None and recipe.plugin.needs_base else {}
    parts = _Parts(recipe, tables, matches, named, measured, recipe.module_plan)
    template = recipe.base if recipe.base is not None and is_adapter(recipe.suspect) else recipe.suspect
    outputs: list[OutputFile] = []
    tensors: list[TensorPlan] = []
    for name, pieces in _files(template, tables[0], ground.table if ground else tables[0]).items():
        output, planned = _output_file(name, pieces, parts)
        outputs.append(output)
        tensors += planned
    notes = [note for found in matches for note in found.reconciled]
    for model, stand, table in zip(recipe.models, standing, tables, strict=True):
        if stand is not None and recipe.base is not None:
            notes += adapter_notes(model, *stand, recipe.base, table, by)
    notes += _base_notes(recipe, tables[0], named) + _copy_notes(tensors)
    notes += [note(recipe.labels)] if recipe.labels else []
    extra = dict(ground.files) if ground else {}
    extra |= _index(template, tensors, outputs)
    carried = {name: number for name, number in _carried(recipe, template).items() if name not in extra}
    return Layout(tuple(owners), tuple(outputs), tuple(tensors), carried, tuple(dict.fromkeys(notes)), extra)


def _check_base(recipe: Recipe, suspect: Profile, by: Comparison) -> None:
    """A base of task vectors must give the same ids to the same tokens: its rows are subtracted from the suspect's."""
    base = recipe.base
    if base is None or not recipe.plugin.needs_base or "" in (base.tokenizer_digest, suspect.tokenizer_digest):
        return
    shared = by.vocabularies.shared(suspect, base)
    if shared.why is not None:
        raise IncompatibleError(f"the base {base.ref.reference} {shared.why}")


def _match_base(base: Profile, ground: Ground) -> Match:
    """The base as a partner of its own adapters: it has no part in what they add to it."""
    note = f"{base.ref.reference} is the adapters' base: its part of the weight takes changes back"
    return Match((), (note,), left_out=ground.open)


def _standing(model: Profile, base: Profile | None, table: Table, by: Comparison) -> tuple[Adapter, Ground] | None:
    """An adapter and what it stands on; None for a whole model."""
    if base is None or not is_adapter(model):
        return None
    found = read_adapter(Path(model.ref.path))
    return found, ground_of(model.ref.reference, found, base, table, by)


def _measured(entry: Measured, model: Profile, owners: list[Owner]) -> dict[str, Piece]:
    path = Path(entry.path)
    label = f"the {entry.kind} of {model.ref.reference}"
    owners.append(Owner(label, str(path.parent), {path.name: entry.digest}))
    return {region.name: Piece(len(owners) - 1, region) for region in read_regions(path.parent, path.name)}


def _files(template: Profile, table: Table, under: Table) -> dict[str, list[tuple[str, Piece]]]:
    """The output's files with their tensors, in the template's order; what only an adapter has comes last.

    `under` are the template's tensors by the output's names.
    """
    names = {(piece.region.file, piece.region.name): name for name, piece in under.items()}
    files: dict[str, list[tuple[str, Piece]]] = {}
    for file in weight_files(template):
        placed = [names.get((file, region.name)) for region in read_regions(Path(template.ref.path), file)]
        files[file] = [(name, table[name]) for name in placed if name is not None]
    files = {file: pieces for file, pieces in files.items() if pieces}
    files[list(files)[-1]] += [(name, table[name]) for name in sorted(table.keys() - under.keys())]
    return files


def _index(template: Profile, tensors: Sequence[TensorPlan], outputs: Sequence[OutputFile]) -> dict[str, bytes]:
    """The index of a sharded template, where the output has other tensors than it."""
    name = find_weights(Path(template.ref.path)).index
    if name is None or {t.name for t in tensors} == {t.name for t in template.tensors}:
        return {}
    size = sum(output.size - len(output.header) for output in outputs)
    content = {"metadata": {"total_size": size}, "weight_map": {t.name: t.file for t in tensors}}
    return {name: (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()}


def _carried(recipe: Recipe, template: Profile) -> dict[str, int]:
    """The files beside the weights: the template's."""
    weights = set(weight_files(template))
    number = 0 if template is recipe.suspect else len(recipe.models)
    return dict.fromkeys(sorted(set(template.files) - weights), number)


def _output_file(name: str, pieces: list[tuple[str, Piece]], parts: _Parts) -> tuple[OutputFile, list[TensorPlan]]:
    head = write_header(TensorInfo(key, piece.shape, piece.dtype) for key, piece in pieces)
    start = len(head)
    planned: list[TensorPlan] = []
    for key, piece in pieces:
        planned += _tensor(key, piece, name, start, parts)
        start += math.prod(piece.shape) * item_size(piece.dtype)
    return OutputFile(name, head, start), planned


def _tensor(name: str, piece: Piece, file: str, start: int, parts: _Parts) -> list[TensorPlan]:
    """The plan of a tensor; several where partners have fewer rows (tokens) than the suspect."""
    own = Source(piece.owner, piece.region, low=piece.low, tokens=piece.tokens)
    weights = parts.recipe.given
    if parts.plan is not None:
        weights = weights_of(module_of(name), parts.plan, weights)
    sources = [(0, own, piece.shape[0] if piece.shape else 1)]
    if piece.dtype in FLOATS:
        for model, found in enumerate(parts.matches, start=1):
            source = _partner_source(name, piece, parts.tables[model], found)
            if source is not None:
                sources.append((model, *source))
    limits = sorted({limit for _, _, limit in sources})
    plans = []
    before = 0
    for limit in limits:
        taking = [(model, source) for model, source, rows in sources if rows >= limit]
        plans.append(_segment(name, piece, file, start, (before, limit), taking, weights, parts))
        before = limit
    return plans


def _partner_source(name: str, piece: Piece, table: Table, found: Match) -> tuple[Source, int] | None:
    """A partner's part in a tensor, and how many rows of it; None where it has none."""
    if name in found.left_out:
        return None
    other = table.get(found.stored.get(name, name))
    if other is None or other.dtype not in FLOATS:
        return None
    rows = piece.shape[0] if piece.shape else 1
    if other.shape != piece.shape:
        if found.tokens is None or other.shape[1:] != piece.shape[1:]:
            return None
        rows = min(found.tokens, rows, other.shape[0])
    elif found.tokens is not None and module_of(name) in ("embeddings", "head") and ROWS.search(name):
        rows = min(found.tokens, rows)
    return Source(
        other.owner, other.region, found.rows if name in found.permuted else None, other.low, other.tokens
    ), rows


def _segment(
    name: str, piece: Piece, file: str, start: int, span: tuple[int, int],
    taking: list[tuple[int, Source]], given: tuple[float, ...], parts: _Parts,
) -> TensorPlan:  # fmt: skip
    rows = piece.shape[0] if piece.shape else 1
    whole = span == (0, rows)
    chosen = tuple(given[model] for model, _ in taking)
    unchanged = len(taking) > 1 and all(source == taking[0][1] for _, source in taking) and not taking[0][1].adapted
    if len(taking) == 1 or sum(chosen) == 0 or unchanged:
        taking, chosen = taking[:1], (1.0,)
    copied = len(taking) == 1 and not taking[0][1].adapted
    row = math.prod(piece.shape[1:])

    def cut(source: Source) -> Source:
        return source if whole and source.region.shape == piece.shape else _rows(source, span, row)

    base = parts.base.get(name)
    base_source = None
    if base is not None and not copied and base.dtype in FLOATS and _covers(base, piece, span[1]):
        base_source = cut(Source(base.owner, base.region))
    statistics = []
    for model, _ in taking if not copied else ():
        if parts.measured and (found := parts.measured[model].get(name)) is not None:
            square = found.shape != piece.shape
            statistics.append(Source(found.owner, found.region) if square else cut(Source(found.owner, found.region)))
    if len(statistics) != len(taking) or any(s.rows for _, s in taking):
        statistics = []
    return TensorPlan(
        name,
        piece.shape if whole else (span[1] - span[0], *piece.shape[1:]),
        piece.dtype,
        file,
        start + span[0] * row * item_size(piece.dtype),
        tuple(cut(source) for _, source in taking),
        normalise(chosen),
        whole_numbers(chosen),
        base_source,
        copied,
        span[0] * row,
        unchanged,
        tuple(statistics),
    )


def _covers(base: Piece, piece: Piece, rows: int) -> bool:
    """Whether the base has the tensor, or at least its first rows (tokens)."""
    if base.shape == piece.shape:
        return True
    return bool(piece.shape) and base.shape[1:] == piece.shape[1:] and base.shape[0] >= rows


def _rows(source: Source, span: tuple[int, int], row: int) -> Source:
    """Some rows of a source."""
    size = row * item_size(source.region.dtype)
    region = source.region
    part = Region(
        region.file, region.name, (span[1] - span[0], *region.shape[1:]), region.dtype,
        region.start + span[0] * size, region.start + span[1] * size,
    )  # fmt: skip
    if source.adapted:
        raise IncompatibleError(f"tensor {region.name} has an adapter's change and another vocabulary")
    return Source(source.owner, part, source.rows, None)


def whole_numbers(weights: tuple[float, ...]) -> tuple[float, ...]:
    """The weights as whole numbers of the same ratio, taken as the decimals that they are written as.

    Weights that need numbers above 2²⁰ are left as they are.
    """
    exact = [Fraction(Decimal(repr(float(weight)))) for weight in weights]
    scale = math.lcm(*(f.denominator for f in exact))
    numbers = [int(f * scale) for f in exact]
    divisor = math.gcd(*numbers) or 1
    if max(numbers) // divisor > WHOLE_NUMBERS:
        return weights
    return tuple(float(number // divisor) for number in numbers)


def _base_notes(recipe: Recipe, ours: Table, named: Table) -> list[str]:
    if recipe.base is None or not recipe.plugin.needs_base:
        return []
    shared = [name for name in ours if name in named and ours[name].shape[1:] == named[name].shape[1:]]
    if not shared:
        raise IncompatibleError(f"the base {recipe.base.ref.reference} shares no tensor with the suspect")
    lacking = sorted(name for name in ours.keys() - set(shared) if ours[name].dtype in FLOATS)
    if not lacking:
        return []
    shown = ", ".join(lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
    return [
        f"{len(lacking)} tensors are not in the base {recipe.base.ref.reference} ({shown}): merged by plain weighted "
        "average"
    ]


def _copy_notes(tensors: list[TensorPlan]) -> list[str]:
    kept = list(dict.fromkeys(tensor.name for tensor in tensors if tensor.copied and not tensor.unchanged))
    if not kept:
        return []
    named = ", ".join(kept[:SHOWN]) + (", …" if len(kept) > SHOWN else "")
    return [f"{len(kept)} tensors are copied from the suspect ({named})"]
