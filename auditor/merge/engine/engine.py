"""The merge itself: streamed slice by slice through a few threads, hashed on the way, and renamed into place.

Peak private memory is the threads' scratch, whatever the model's size. Threads take slices in the order of the output's
bytes, so every file is read and hashed once, in order. On several devices each has its own tensors and threads; there
the order would make them wait for each other, and files are hashed in passes of their own, beside the merge.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import ModelError, UsageError
from auditor.events import Event, MergeReady, Progress, Stage, Warned
from auditor.merge.card import write_card
from auditor.merge.engine.adapters import merge_adapters
from auditor.merge.engine.devices import deal, moved, open_arithmetic
from auditor.merge.engine.files import InputFile, OutputFile, Turns
from auditor.merge.engine.slices import Blender, Look, Sink, Slice, cut, reads
from auditor.merge.engine.workers import Crew, Work
from auditor.merge.layout.layout import Layout, Owner, TensorPlan, lay_out
from auditor.merge.numerics.arithmetic import NumpyArithmetic, Raw
from auditor.merge.recipe import Recipe
from auditor.merge.sealing import seal_recipe
from auditor.merge.strategy import Grain, Tally
from auditor.models.files.fingerprint import digest_of_files
from auditor.models.files.staging import refuse_existing, staged
from auditor.models.runtime.device import pick_devices
from auditor.models.runtime.verified import MOST
from probes.reading import read_bytes
from store.records import Merge, PartnerUse

BUDGET = 192 << 20
"""Bytes of scratch memory, all threads together."""
WHOLE_BUDGET = 1 << 30
"""The same for strategies that need whole tensors."""
PAUSE = 0.1
"""Seconds between two progress events."""
SPARE = 1 << 20
"""Bytes for the manifest, the card and directories."""


def merge(
    recipe: Recipe, output: Path, *, device: str = "cpu", budget_bytes: int | None = None, threads: int = 2
) -> Generator[Event, None, None]:
    """Merges the models of a recipe into a new directory, which appears whole or not at all.

    Args:
        recipe: the models, strategy, weights and seed.
        output: the directory to make; it must not exist.
        device: `cpu`, `cuda:N`, or `cuda` or `auto`, which take every GPU there is (`auto` without one: the CPU).
        budget_bytes: scratch memory for all threads together; by default 192 MiB, and 1 GiB for strategies that need
            whole tensors.
        threads: how many slices are worked on at a time, on each device.

    Yields:
        A stage, its progress, warnings for what was reconciled, and last `MergeReady`.

    Raises:
        UsageError: the output exists, or an option does not fit; IncompatibleError: the models do not.
        ModelError: a source is damaged, has changed since it was profiled, or holds NaN or infinite values.
        DiskError: the disk is full, or a write failed.
    """
    began = time.monotonic()
    refuse_existing(output)
    if recipe.makes_adapter:
        yield from _merge_adapters(recipe, output, began)
        return
    if recipe.strategy == "wag" and recipe.settings["rank"]:
        raise UsageError("wag.rank reduces adapters; here whole models are merged", hint="Leave out --set wag.rank.")
    devices = pick_devices(device)
    layout = lay_out(recipe)
    yield Stage("merge", _sentence(recipe), layout.names, "tensors")
    for note in layout.notes:
        yield Warned(note)
    carried = {name: Path(layout.owners[number].path) / name for name, number in layout.carried.items()}
    need = layout.size + sum(path.stat().st_size for path in carried.values() if path.is_file()) + SPARE
    need += sum(map(len, layout.extra.values()))
    tally = Tally()
    read: dict[tuple[int, str], str] = {}
    with staged(output, need) as partial:
        turns = Turns()
        with _output_files(layout, partial, turns, in_order=len(devices) == 1) as outputs:
            sink = FileSink(outputs)
            with closing(stream(recipe, layout, sink, turns, devices, budget_bytes, threads, tally, read)) as progress:
                yield from progress
            with ThreadPoolExecutor(threads) as pool:
                digests = dict(zip(outputs, pool.map(OutputFile.hexdigest, outputs.values()), strict=True))
        for name, path in carried.items():
            digests[name] = _carry(layout.owners[layout.carried[name]], name, path, partial / name)
        for name, content in layout.extra.items():
            (partial / name).write_bytes(content)
            digests[name] = hashlib.sha256(content).hexdigest()
        recipe = seal_recipe(recipe, read)
        mean = tally.mean(weighed=recipe.weighs)
        kept = recipe.kept if mean is None else min(1.0, max(0.0, mean))
        write_card(partial, recipe, layout.notes, digests, kept)
    where = ", ".join(devices)
    yield MergeReady(_record(recipe, output, layout.notes, digests, where, time.monotonic() - began, kept))


def _merge_adapters(recipe: Recipe, output: Path, began: float) -> Generator[Event, None, None]:
    """Adapters into an adapter: small enough to be made in memory, and written whole or not at all."""
    made = yield from merge_adapters(recipe)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()}
    with staged(output, sum(map(len, made.files.values())) + SPARE) as partial:
        for name, content in made.files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        write_card(partial, recipe, made.notes, digests, made.kept)
    yield MergeReady(_record(recipe, output, made.notes, digests, "cpu", time.monotonic() - began, made.kept))


def _sentence(recipe: Recipe) -> str:
    partners = ", ".join(p.ref.reference for p in recipe.partners)
    return f"merging {recipe.suspect.ref.reference} with {partners} ({recipe.plugin.title})"


@dataclass(frozen=True)
class FileSink:
    """Writes to the files of the output."""

    files: dict[str, OutputFile]

    def write(self, tensor: TensorPlan, start: int, raw: Raw) -> None:
        self.files[tensor.file].write(start, raw)


@contextmanager
def _output_files(layout: Layout, directory: Path, turns: Turns, *, in_order: bool) -> Iterator[dict[str, OutputFile]]:
    with ExitStack() as stack:
        files = {}
        for planned in layout.outputs:
            files[planned.name] = OutputFile(directory / planned.name, planned.header, turns, in_order=in_order)
            stack.callback(files[planned.name].close)
        yield files


def stream(
    recipe: Recipe,
    layout: Layout,
    sink: Sink,
    turns: Turns,
    devices: Sequence[str],
    budget_bytes: int | None,
    threads: int,
    tally: Tally | None = None,
    read: dict[tuple[int, str], str] | None = None,
) -> Generator[Event, None, None]:
    """Makes every slice and hands it to the sink; yields progress. All sources are checked against their profiles.

    Slices come in the order of the output's bytes; with several devices, those of each device do.
    Closing the generator stops the threads and waits for them.
    """
    plugin = recipe.plugin
    budget = budget_bytes or (WHOLE_BUDGET if plugin.grain is Grain.TENSOR else BUDGET)
    work, workers = cut(layout, plugin, threads * len(devices), budget)
    devices = devices[:workers]
    with ExitStack() as stack:
        inputs = _open_inputs(layout, work if len(devices) == 1 else (), turns, stack)
        weighs = tally is not None and recipe.weighs
        blender = Blender(plugin, recipe.seed, inputs, sink, recipe.settings, turns, tally or Tally(), {}, weighs)
        crew = Crew(blender, turns)
        # Unwound in reverse: the threads end before their files are closed.
        stack.callback(crew.stop)
        unordered = [file for file in inputs.values() if not file.ordered]
        lists: list[Sequence[Work]] = [(*unordered, *work)]
        if len(devices) > 1:
            crew.start(unordered, [NumpyArithmetic() for _ in unordered[:workers]])
            lists = _dealt(layout, work, len(devices))
        for device, own in zip(devices, lists, strict=True):
            maker = open_arithmetic(device)
            crew.start(own, [maker() for _ in range(workers // len(devices))])
        total = layout.names
        left = Counter(part.tensor.name for part in work if isinstance(part, Slice) and part.last)
        done = total - len(left)
        told = 0.0
        for name in crew.finished():
            left[name] -= 1
            done += left[name] == 0
            if time.monotonic() - told >= PAUSE or done == total:
                told = time.monotonic()
                yield Progress("merge", done, total, "tensors", name)
        for key, file in inputs.items():
            file.finish()
            if read is not None:
                read[key] = file.hexdigest()


def _dealt(layout: Layout, work: Sequence[Slice | Look], devices: int) -> list[Sequence[Work]]:
    """The work of each device: whole tensors, dealt out by their bytes."""
    chosen = deal([moved(tensor) for tensor in layout.tensors], devices)
    places = {(t.name, t.first): device for t, device in zip(layout.tensors, chosen, strict=True)}
    return [
        [part for part in work if places[part.tensor.name, part.tensor.first] == device] for device in range(devices)
    ]


def _open_inputs(
    layout: Layout, work: Sequence[Slice | Look], turns: Turns, stack: ExitStack
) -> dict[tuple[int, str], InputFile]:
    """Every profiled file of every model, also those that are not merged: what was profiled is what is merged.

    The reads of `work` are hashed on the way, as far as they come in the order of a file.
    """
    ranges: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for key, span in reads(work):
        ranges[key].append(span)
    files = {}
    for number, owner in enumerate(layout.owners):
        for name, digest in sorted(owner.files.items()):
            path = Path(owner.path) / name
            file = InputFile(owner.reference, path, digest, turns, ranges[number, name])
            stack.callback(file.close)
            files[number, name] = file
    return files


def _carry(owner: Owner, name: str, source: Path, target: Path) -> str:
    """Copies one of the other files of a model; returns its digest."""
    try:
        content = read_bytes(source, MOST)
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != owner.files[name]:
        raise ModelError(
            f"{owner.reference} has changed since it was profiled: {name} is another",
            hint="Run the command again, so that the model is profiled anew.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return digest


def _record(
    recipe: Recipe,
    output: Path,
    notes: tuple[str, ...],
    files: dict[str, str],
    device: str,
    seconds: float,
    kept: float,
) -> Merge:
    weights = recipe.coefficients
    return Merge(
        strategy=recipe.strategy,
        options=recipe.settings,
        suspect=recipe.suspect.ref.reference,
        suspect_digest=recipe.suspect.ref.digest,
        suspect_weight=weights[0],
        kept=kept,
        partners=tuple(
            PartnerUse(p.ref.reference, p.ref.digest, w) for p, w in zip(recipe.partners, weights[1:], strict=True)
        ),
        output=str(output),
        digest=digest_of_files(files),
        seconds=seconds,
        # Linux counts in KiB.
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        device=device,
        notes=notes,
    )
