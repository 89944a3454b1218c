"""The merge itself: streamed slice by slice through a few threads, hashed on the way, and renamed into place.

Peak private memory is the threads' scratch, whatever the model's size. Threads take slices in the order of the output's
bytes, so every file is read and hashed once, in order.
"""

from __future__ import annotations

import hashlib
import queue
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import ModelError, UsageError
from auditor.events import Event, MergeReady, Progress, Stage, Warned
from auditor.merge.adapters import makes_adapter, merge_adapters
from auditor.merge.arithmetic import Arithmetic, Raw, open_arithmetic
from auditor.merge.card import write_card
from auditor.merge.files import Aborted, InputFile, OutputFile, Turns
from auditor.merge.layout import Layout, Owner, TensorPlan, lay_out
from auditor.merge.recipe import Recipe
from auditor.merge.seal import seal_recipe
from auditor.merge.slices import Blender, Look, Sink, Slice, cut, reads
from auditor.merge.staging import refuse_existing, staged
from auditor.merge.strategy import Grain, Tally
from auditor.models.device import pick_device
from auditor.models.fingerprint import digest_of_files
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
        device: `auto`, `cpu` or `cuda[:N]`.
        budget_bytes: scratch memory for all threads together; by default 192 MiB, and 1 GiB for strategies that need
            whole tensors.
        threads: how many slices are worked on at a time.

    Yields:
        A stage, its progress, warnings for what was reconciled, and last `MergeReady`.

    Raises:
        UsageError: the output exists, or an option does not fit; IncompatibleError: the models do not.
        ModelError: a source is damaged, has changed since it was profiled, or holds NaN or infinite values.
        DiskError: the disk is full, or a write failed.
    """
    began = time.monotonic()
    refuse_existing(output)
    if makes_adapter(recipe):
        yield from _merge_adapters(recipe, output, began)
        return
    if recipe.strategy == "wag" and recipe.settings["rank"]:
        raise UsageError("wag.rank reduces adapters; here whole models are merged", hint="leave it away")
    device = pick_device(device)
    layout = lay_out(recipe)
    yield Stage("merge", _sentence(recipe), layout.names, "tensors")
    for note in layout.notes:
        yield Warned(note)
    carried = {name: Path(layout.owners[number].path) / name for name, number in layout.carried.items()}
    need = layout.size + sum(path.stat().st_size for path in carried.values() if path.is_file()) + SPARE
    tally = Tally()
    read: dict[tuple[int, str], str] = {}
    with staged(output, need) as partial:
        turns = Turns()
        with _output_files(layout, partial, turns) as outputs:
            sink = FileSink(outputs)
            with closing(stream(recipe, layout, sink, turns, device, budget_bytes, threads, tally, read)) as progress:
                yield from progress
            digests = {name: file.hexdigest() for name, file in outputs.items()}
        for name, path in carried.items():
            digests[name] = _carry(layout.owners[layout.carried[name]], name, path, partial / name)
        recipe = seal_recipe(recipe, read)
        kept = recipe.kept if tally.mean is None else min(1.0, max(0.0, tally.mean))
        write_card(partial, recipe, layout.notes, digests, kept)
    yield MergeReady(_record(recipe, output, layout.notes, digests, device, time.monotonic() - began, kept))


def _merge_adapters(recipe: Recipe, output: Path, began: float) -> Generator[Event, None, None]:
    """Adapters into an adapter: small enough to be made in memory, and written whole or not at all."""
    made = yield from merge_adapters(recipe)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()}
    with staged(output, sum(map(len, made.files.values())) + SPARE) as partial:
        for name, content in made.files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        write_card(partial, recipe, made.notes, digests, recipe.kept)
    yield MergeReady(_record(recipe, output, made.notes, digests, "cpu", time.monotonic() - began, recipe.kept))


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
def _output_files(layout: Layout, directory: Path, turns: Turns) -> Iterator[dict[str, OutputFile]]:
    with ExitStack() as stack:
        files = {}
        for planned in layout.outputs:
            files[planned.name] = OutputFile(directory / planned.name, planned.header, turns)
            stack.callback(files[planned.name].close)
        yield files


def stream(
    recipe: Recipe,
    layout: Layout,
    sink: Sink,
    turns: Turns,
    device: str,
    budget_bytes: int | None,
    threads: int,
    tally: Tally | None = None,
    read: dict[tuple[int, str], str] | None = None,
) -> Generator[Event, None, None]:
    """Makes every slice and hands it to the sink; yields progress. All sources are checked against their profiles.

    Closing the generator stops the threads and waits for them.
    """
    plugin = recipe.plugin
    budget = budget_bytes or (WHOLE_BUDGET if plugin.grain is Grain.TENSOR else BUDGET)
    work, threads = cut(layout, plugin, threads, budget)
    maker = open_arithmetic(device)
    with ExitStack() as stack:
        inputs = _open_inputs(layout, work, turns, stack)
        blender = Blender(recipe.plugin, recipe.seed, inputs, sink, recipe.settings, turns, tally or Tally(), {})
        crew = Crew(blender, work, [f for f in inputs.values() if not f.ordered], turns)
        # Unwound in reverse: the threads end before their files are closed.
        stack.callback(crew.stop)
        crew.start([maker() for _ in range(threads)])
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


def _open_inputs(
    layout: Layout, work: tuple[Slice | Look, ...], turns: Turns, stack: ExitStack
) -> dict[tuple[int, str], InputFile]:
    """Every profiled file of every model, also those that are not merged: what was profiled is what is merged."""
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


class Crew:
    """The threads of a merge. They hash the files that cannot be hashed on the way, then take slices in order."""

    def __init__(
        self, blender: Blender, work: Sequence[Slice | Look], unordered: Sequence[InputFile], turns: Turns
    ) -> None:
        self._blender = blender
        self._turns = turns
        self._work: Iterator[InputFile | Slice | Look] = iter((*unordered, *work))
        self._next = threading.Lock()
        self._news: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, arithmetics: Sequence[Arithmetic]) -> None:
        """Starts one thread for each."""
        for arithmetic in arithmetics:
            thread = threading.Thread(target=self._labour, args=(arithmetic,), name="merge", daemon=True)
            self._threads.append(thread)
            thread.start()

    def finished(self) -> Iterator[str]:
        """Names of tensors as they are finished, until all are; raises what a thread has raised."""
        working = len(self._threads)
        while working:
            news = self._news.get()
            if isinstance(news, BaseException):
                raise news
            if news is None:
                working -= 1
            else:
                yield news

    def stop(self) -> None:
        """Stops the threads and waits for them."""
        self._turns.stop()
        for thread in self._threads:
            thread.join()

    def _labour(self, arithmetic: Arithmetic) -> None:
        try:
            while not self._turns.stopped:
                with self._next:
                    task = next(self._work, None)
                if task is None:
                    break
                if isinstance(task, InputFile):
                    task.hash_whole()
                    continue
                if isinstance(task, Look):
                    self._blender.look(task, arithmetic)
                    continue
                self._blender.make(task, arithmetic)
                if task.last:
                    self._news.put(task.tensor.name)
        except Aborted:
            pass
        except BaseException as error:  # raised again in the thread that asked
            self._turns.stop()
            self._news.put(error)
        self._news.put(None)


def _carry(owner: Owner, name: str, source: Path, target: Path) -> str:
    """Copies one of the other files of a model; returns its digest."""
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != owner.files[name]:
        raise ModelError(
            f"{owner.reference} has changed since it was profiled: {name} is another",
            hint="run the command again, so that the model is profiled anew",
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
