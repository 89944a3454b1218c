"""Merges in memory, one recipe after the other: the engine's own slices and arithmetic, over files that are held.

What a recipe makes here is, on the CPU, what the engine writes for it, byte for byte. A tensor that a recipe makes as
the one before did is left as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auditor.merge.compatibility.compatibility import Comparison
from auditor.merge.engine.engine import BUDGET, WHOLE_BUDGET
from auditor.merge.engine.files import HeldFile, Turns
from auditor.merge.engine.slices import Blender, Sink, cut
from auditor.merge.engine.workers import Crew
from auditor.merge.layout.layout import Layout, Source, TensorPlan, lay_out
from auditor.merge.numerics.arithmetic import NumpyArithmetic
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import Grain, Tally
from auditor.merge.tensors.header import Region
from auditor.models.files.adapter import is_adapter

Made = tuple[object, ...]
"""All that a tensor's values depend on."""


class Rehearsal:
    """Makes the tensors of recipes over the same models, and hands them to a sink.

    Args:
        sink: takes the tensors; it must keep what it was given, since equal ones are not given twice.
        threads: how many slices are worked on at a time.
    """

    def __init__(self, sink: Sink, *, threads: int = 2) -> None:
        self._sink = sink
        self._hands = [NumpyArithmetic() for _ in range(threads)]
        self._files: dict[Path, HeldFile] = {}
        self._made: dict[str, Made] = {}
        self._tally = Tally()
        self._by: Comparison | None = None
        self._written: set[str] = set()

    def make(self, recipe: Recipe) -> float:
        """Makes a recipe, adapters on their base; returns how much of the suspect it keeps, 0 to 1.

        Raises:
            IncompatibleError: the models cannot be merged.
            ModelError: a file has changed since it was profiled, or holds NaN or infinite values.
        """
        if recipe.makes_adapter and recipe.stands_on is not None:
            recipe = replace(recipe, base=recipe.stands_on)
        self._by = self._by or Comparison(recipe.base if any(map(is_adapter, recipe.models)) else None)
        layout = lay_out(recipe, self._by)
        wanted = _wanted(recipe, layout)
        changed = {name for name, how in wanted.items() if self._made.get(name) != how}
        # What no adapter changes is the base's from the beginning, unless an earlier recipe has changed it.
        changed -= {t.name for t in layout.tensors if t.unchanged} - self._written
        self._written |= changed
        for name in changed:
            # A tensor that is made only in part is none of any recipe's.
            self._made.pop(name, None)
        self._tally.forget(changed)
        self._blend(recipe, replace(layout, tensors=tuple(t for t in layout.tensors if t.name in changed)))
        self._made |= {name: wanted[name] for name in changed}
        mean = self._tally.mean(weighed=recipe.weighs)
        return recipe.kept if mean is None else min(1.0, max(0.0, mean))

    def _blend(self, recipe: Recipe, layout: Layout) -> None:
        plugin, turns = recipe.plugin, Turns()
        budget = WHOLE_BUDGET if plugin.grain is Grain.TENSOR else BUDGET
        work, threads = cut(layout, plugin, len(self._hands), budget)
        spans: dict[tuple[int, str], set[tuple[int, int]]] = defaultdict(set)
        for tensor in layout.tensors:
            for source in (*tensor.inputs, *tensor.statistics):
                for owner, region in _regions(source):
                    spans[owner, region.file].add((region.start, region.stop))
        files = {place: self._held(layout, *place, wanted) for place, wanted in spans.items()}
        blender = Blender(plugin, recipe.seed, files, self._sink, recipe.settings, turns, self._tally, {}, weighs=True)
        crew = Crew(blender, turns)
        try:
            crew.start(work, self._hands[:threads])
            for _ in crew.finished():
                pass
        finally:
            crew.stop()

    def _held(self, layout: Layout, number: int, file: str, spans: set[tuple[int, int]]) -> HeldFile:
        """A file with the parts that are wanted now, and those that were wanted before."""
        owner = layout.owners[number]
        path = Path(owner.path) / file
        known = self._files.get(path)
        if known is None or not spans <= known.spans:
            more = known.spans if known is not None else frozenset()
            self._files[path] = HeldFile(owner.reference, path, owner.files[file], spans | more)
        return self._files[path]


def _regions(source: Source) -> Iterator[tuple[int, Region]]:
    """What a source is read from, by owner: its own tensor, and an adapter's."""
    yield source.owner, source.region
    if source.low is not None:
        yield source.low.owner, source.low.down
        yield source.low.owner, source.low.up
    if source.tokens is not None:
        yield source.tokens.owner, source.tokens.region


def _wanted(recipe: Recipe, layout: Layout) -> dict[str, Made]:
    """By tensor, all that its values depend on."""
    found: dict[str, Made] = {}
    common = (recipe.strategy, tuple(sorted(recipe.settings.items())), recipe.seed)
    for tensor in layout.tensors:
        found[tensor.name] = (*found.get(tensor.name, common), _how(tensor, layout))
    return found


def _how(tensor: TensorPlan, layout: Layout) -> Made:
    def of(source: Source | None) -> Made:
        if source is None:
            return ()
        changes = [
            (layout.owners[change.owner].path, replace(change, owner=0))
            for change in (source.low, source.tokens)
            if change is not None
        ]
        return layout.owners[source.owner].path, source.region, source.rows, *changes

    parts = (tuple(map(of, tensor.sources)), of(tensor.base), tuple(map(of, tensor.statistics)))
    return (*parts, tensor.weights, tensor.shares, tensor.copied, tensor.first)
