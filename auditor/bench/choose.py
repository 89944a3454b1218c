"""From names to benchmarks, and what can be run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.bench.accuracy import accuracy_task
from auditor.bench.local import LOCAL, rows_file
from auditor.bench.perplexity import perplexity_task
from auditor.errors import UsageError
from auditor.models.files.adapter import require_whole
from auditor.requests.bench import PERPLEXITY, BenchRequest
from store.records import Task

if TYPE_CHECKING:
    from auditor.bench.task import Benchmark
    from store.records import Profile


def benchmarks_for(request: BenchRequest, profile: Profile) -> list[Benchmark]:
    """The benchmarks that a request names for a model, with their rows at hand. Nothing is loaded yet.

    Raises:
        UsageError: an unknown task, one for another kind of model, rows that are missing or do not fit, settings that
            cannot be; or lm-evaluation-harness is not installed.
        FetchError: a task's rows would have to be fetched, and cannot be.
        ModelError: the model is an adapter without its base.
    """
    require_whole(profile)
    if not request.tasks:
        raise UsageError("no benchmark is named", hint="Name one with --task; `auditor tasks` lists them.")
    if request.batch_size < 1 or any(n is not None and n < 1 for n in (request.limit, request.window, request.stride)):
        raise UsageError("batch size, limit, window and stride are whole numbers of at least 1")
    found: list[Benchmark] = []
    for name in dict.fromkeys(request.tasks):
        found += _named(name, request, profile)
    twice = [name for name in {one.name for one in found} if sum(one.name == name for one in found) > 1]
    if twice:
        raise UsageError(f"two benchmarks are called {twice[0]!r}", hint="Rename a file, or name a task once.")
    return found


def _named(name: str, request: BenchRequest, profile: Profile) -> Sequence[Benchmark]:
    reference = profile.ref.reference
    if profile.task is Task.CLASSIFICATION:
        if name in LOCAL or name == PERPLEXITY:
            raise UsageError(
                f"{reference} is a classifier, and {name} is a task of models that write",
                hint="A benchmark of a classifier is a file of rows with gold labels.",
            )
        return [accuracy_task(name, request, profile)]
    if profile.task is not Task.GENERATION:
        raise UsageError(f"{reference} is a {profile.architecture}, which neither classifies texts nor writes")
    if name == PERPLEXITY:
        return [perplexity_task(request, profile)]
    from auditor.bench.harness import hub_tasks, local_task, require_harness

    if name in LOCAL and request.data is not None:
        return [local_task(name, request)]
    if Path(name).is_file():
        raise UsageError(
            f"{name} is a file, and {reference} writes: a benchmark of such a model is a task",
            hint="`auditor tasks` lists them.",
        )
    require_harness()
    return hub_tasks(name, request)


@dataclass(frozen=True)
class Listed:
    """A task that can be run, or what it lacks.

    Attributes:
        name, about: of the task.
        rows: in the directory, or of the published evaluation split.
        here: whether its rows are at hand.
        forwards: passes through the model for all rows, from which the time follows.
        needs: what it lacks here; empty where it can be run offline.
    """

    name: str
    about: str
    rows: int | None
    here: bool
    forwards: int | None
    needs: str


def listed(data: Path | None) -> list[Listed]:
    """The tasks that ship with the program, and what each lacks here."""
    found = []
    for name, task in LOCAL.items():
        path = rows_file(name, data) if data is not None else None
        here = path is not None and path.is_file()
        rows = _count(path) if here and path is not None else task.size
        needs = "" if here else f"{name}.jsonl with {', '.join(task.columns)}; or the network"
        found.append(Listed(name, task.about, rows, here, rows * task.requests, needs))
    found.append(Listed(PERPLEXITY, "how well a model predicts a text of yours", None, True, None, "--text FILE"))
    return found


def _count(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(bool(line.strip()) for line in lines)
