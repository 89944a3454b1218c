"""Tasks of lm-evaluation-harness: it makes the prompts, scores the rows, and makes figures of them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.bench.local import LOCAL, TASKS, read_task_rows, rows_file
from auditor.bench.spread import standard_error
from auditor.bench.task import digest_of, main_metric
from auditor.errors import FetchError, ModelError, UsageError
from auditor.models.runtime.quiet import quiet
from auditor.requests.bench import BenchRequest
from store.records import BenchmarkRow, BenchmarkScore

if TYPE_CHECKING:
    from auditor.bench.opening import Subject

INSTALL = "pip install 'auditor[bench]'"
SEED = 1234
"""Of the choice of examples: the harness's own default, so that its command gives the same prompts."""
PART = 8
NO_FILTER = "none"
TEXT = "generate_until"
PROMPTED = ("multiple_choice", "loglikelihood", "loglikelihood_rolling", TEXT)
"""What a task may ask for."""


def installed() -> str | None:
    """The version of lm-evaluation-harness that is installed; None where it is not."""
    try:
        return version("lm_eval") if find_spec("lm_eval") and find_spec("accelerate") else None
    except PackageNotFoundError:
        return None


def require_harness() -> str:
    """Raises:
    UsageError: lm-evaluation-harness is not installed.
    """
    found = installed()
    if found is None:
        raise UsageError("benchmarks need lm-evaluation-harness, which is not installed", hint=f"Install it: {INSTALL}")
    return found


@contextmanager
def silent() -> Iterator[None]:
    """The harness writes bars, logs and words to both streams: none of them is the user's."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    swallowed = io.StringIO()
    with quiet(), contextlib.redirect_stdout(swallowed), contextlib.redirect_stderr(swallowed):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.disable(before)


def offline() -> bool:
    """Whether the environment forbids the network to data sets."""
    from huggingface_hub import constants

    return bool(constants.is_offline_mode() or os.environ.get("HF_DATASETS_OFFLINE", "").upper() in {"1", "TRUE", "ON"})


@dataclass
class HarnessTask:
    """One of the harness's tasks, or one of ours over local rows; implements `Benchmark`.

    Attributes:
        task: the harness's own object (`ConfigurableTask`).
        request: how a model is asked.
    """

    name: str
    task: Any
    request: BenchRequest
    _built: dict[int, list[Any]] = field(default_factory=dict)
    _known: str = ""
    _owner: Any = None

    part = PART

    @property
    def shots(self) -> int:
        """Worked examples before each question."""
        return int(self.task.config.num_fewshot or 0)

    @property
    def digest(self) -> str:
        """Of rows, examples, prompts, versions and settings."""
        if not self._known:
            request, task = self.request, self.task
            with silent():
                rows = [_plain(doc) for _, doc in task.doc_iterator(limit=request.limit, rank=0, world_size=1)]
                shown = [_plain(doc) for doc in task.fewshot_docs() or ()] if self.shots else []
                config = _plain(task.config.to_dict())
            config.pop("dataset_kwargs", None)
            settings = {
                "limit": request.limit,
                "shots": self.shots,
                "batch": request.batch_size,
                "chat": request.chat_template,
                "seed": SEED,
                "harness": version("lm_eval"),
            }
            self._known = digest_of(
                self.name, *(json.dumps(v, sort_keys=True) for v in (config, rows, shown, settings))
            )
        return self._known

    @property
    def asked(self) -> str:
        """How a model is asked, in words."""
        form = "the model's chat template" if self.request.chat_template else "no chat template"
        return (
            f"{self.shots} examples, {form}, the tokenizer's own beginning-of-text, batches of "
            f"{self.request.batch_size}, lm_eval {version('lm_eval')}, task version {self.task.VERSION}"
        )

    def rows(self, subject: Subject) -> int:
        """How many rows there are."""
        wanted, there = self.request.limit, len(self.task.eval_docs)
        return there if wanted is None else min(wanted, there)

    def score(self, subject: Subject, start: int, stop: int) -> list[BenchmarkRow]:
        """The rows of these places, scored.

        Raises:
            ModelError: the harness fails on this model.
        """
        with silent():
            lm = subject.harness(self.request.batch_size)
            if self._owner is not lm:
                # A chat template, and so the prompts, are the model's own.
                self._build(lm)
                self._owner = lm
            places = [place for place in range(start, stop) if place in self._built]
            chosen = [instance for place in places for instance in self._built[place]]
            try:
                self._answer(lm, chosen)
                return [row for place in places for row in self._measure(place)]
            except Exception as error:
                said = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise ModelError(
                    f"{self.name}: lm-evaluation-harness fails on {subject.profile.ref.reference}: {said}",
                    hint="Rows that were scored are stored. --limit leaves out what stands behind the first rows.",
                ) from error

    def _build(self, lm: Any) -> None:
        """All prompts at once: examples are drawn one row after the other, so a part alone would draw others."""
        chat = self.request.chat_template
        self.task.set_fewshot_seed(seed=SEED)
        try:
            self.task.build_all_requests(
                limit=self.request.limit,
                rank=0,
                world_size=1,
                apply_chat_template=chat,
                fewshot_as_multiturn=chat,
                chat_template=lm.apply_chat_template if chat else None,
                tokenizer_name=lm.tokenizer_name if chat else "",
            )
        # A chat template is a program of the model's: it raises what it likes.
        except Exception as error:
            raise ModelError(f"{self.name}: its prompts cannot be made: {error}") from error
        self._built.clear()
        for instance in self.task.instances:
            self._built.setdefault(instance.doc_id, []).append(instance)

    def _answer(self, lm: Any, instances: Sequence[Any]) -> None:
        kinds: dict[str, list[Any]] = {}
        for instance in instances:
            instance.resps.clear()
            kinds.setdefault(instance.request_type, []).extend([instance] * instance.repeats)
        for kind, asked in kinds.items():
            for answer, instance in zip(getattr(lm, kind)(asked, disable_tqdm=True), asked, strict=True):
                instance.resps.append(answer)

    def _measure(self, place: int) -> list[BenchmarkRow]:
        instances = sorted(self._built[place], key=lambda instance: int(instance.idx))
        # Filters work on what the task holds: it is given one row at a time.
        self.task._instances = instances
        self.task.apply_filters()
        doc = instances[0].doc
        values: dict[str, Any] = {}
        for name in instances[0].filtered_resps:
            found = self.task.process_results(doc, [instance.filtered_resps[name] for instance in instances])
            values |= {metric if name == NO_FILTER else f"{metric},{name}": _told(v) for metric, v in found.items()}
        return [BenchmarkRow(digest_of(json.dumps(_plain(doc), sort_keys=True)), values)]

    def totals(self, rows: Sequence[BenchmarkRow]) -> tuple[BenchmarkScore, ...]:
        """The figures over all rows, as the harness makes them."""
        metrics = list(dict.fromkeys(metric for row in rows for metric in row.values))
        if not metrics:
            return ()
        main = main_metric(dict.fromkeys(metrics))
        found = []
        for metric in metrics:
            plain, _, _ = metric.partition(",")
            items = [row.values[metric] for row in rows if metric in row.values]
            with silent():
                value, error = standard_error(self.task, plain, items)
            higher = bool(self.task.higher_is_better().get(plain, True))
            asked = self.asked
            score = BenchmarkScore(self.name, metric, value, error, len(items), "", asked, higher, metric == main)
            found.append(score)
        return tuple(found)


def local_task(name: str, request: BenchRequest) -> HarnessTask:
    """A task that ships with the program, over the rows in the request's directory.

    Raises:
        UsageError: the rows, or those of the examples, are missing or do not fit; the harness is not installed.
    """
    if request.data is None:
        raise UsageError(f"{name} needs a directory with its rows", hint="Name it with --data-dir.")
    directory = Path(request.data)
    splits = {"test": read_task_rows(name, rows_file(name, directory))}
    if request.few_shot and LOCAL[name].trained:
        splits["train"] = read_task_rows(name, rows_file(name, directory, ".train"))
    require_harness()
    import yaml  # type: ignore[import-untyped]

    with silent():
        from datasets import Dataset
        from lm_eval.api.task import ConfigurableTask

        config = yaml.safe_load((TASKS / f"{name}.yaml").read_text(encoding="utf-8"))
        config["custom_dataset"] = lambda **_: {part: Dataset.from_list(rows) for part, rows in splits.items()}
        if "train" in splits:
            config["training_split"] = "train"
        task = ConfigurableTask(config=config)
        # What is shown and hashed is the task, not where its rows lie.
        task.config.custom_dataset = None
    return _with_shots(name, task, request)


def hub_tasks(name: str, request: BenchRequest) -> list[HarnessTask]:
    """One of the harness's own tasks, or all of a group of them, with rows from the hub.

    Raises:
        UsageError: there is no such task, it runs code that models write, or the harness is not installed.
        FetchError: its rows would have to be fetched, and cannot be.
    """
    require_harness()
    if name in LOCAL and offline() and not _cached(LOCAL[name].source):
        raise _no_network(name)
    with silent():
        from lm_eval.tasks import TaskManager

        manager = TaskManager()
    if name not in manager.all_tasks:
        raise unknown(name, manager.all_subtasks)
    config = getattr(manager.task_index.get(name), "cfg", None) or {}
    if offline() and not _cached(str(config.get("dataset_path") or "")):
        raise _no_network(name)
    try:
        with silent():
            tasks = manager.load([name])["tasks"]
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FetchError(
            f"the task {name} cannot be loaded: {said}", hint="`auditor doctor` says whether the hub is reached."
        ) from error
    found = []
    for own, task in tasks.items():
        if getattr(task, "UNSAFE_CODE", False):
            raise UsageError(f"the task {own} runs code that models write, which this program never does")
        if task.OUTPUT_TYPE not in PROMPTED or getattr(task, "MULTIMODAL", False):
            raise UsageError(f"the task {own} asks for {task.OUTPUT_TYPE}, which is not text alone")
        found.append(_with_shots(own, task, request))
    return found


def task_names() -> list[str]:
    """The names of all tasks that lm-evaluation-harness knows, groups left out.

    Raises:
        UsageError: it is not installed.
    """
    require_harness()
    with silent():
        from lm_eval.tasks import TaskManager

        return list(TaskManager().all_subtasks)


def unknown(name: str, known: Sequence[str]) -> UsageError:
    """There is no such task."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3)
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    return UsageError(f"there is no task {name!r}", hint=f"{meant}`auditor tasks` lists what can be run.")


def _with_shots(name: str, task: Any, request: BenchRequest) -> HarnessTask:
    """The task with as many examples as asked; one whose own number is 0 takes none."""
    own = task.config.num_fewshot
    if request.few_shot is not None and own != 0:
        task.set_config(key="num_fewshot", value=request.few_shot)
    elif own is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=SEED)
    return HarnessTask(name, task, request)


def _no_network(name: str) -> FetchError:
    return FetchError(
        f"the rows of {name} would have to be fetched, and the environment says that there is no network",
        hint=f"Unset HF_HUB_OFFLINE, or give rows of your own with --data-dir: {', '.join(LOCAL)}.",
    )


def _cached(source: str) -> bool:
    """Whether a data set of the hub lies in the cache; a task that states none has it in its own code."""
    import datasets

    return bool(source) and (Path(datasets.config.HF_DATASETS_CACHE) / source.replace("/", "___")).is_dir()


def _plain(value: Any) -> Any:
    """A row, or a config, as JSON can hold it."""
    return json.loads(json.dumps(value, default=str))


def _told(value: Any) -> Any:
    """What a metric says of a row, as plain values."""
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, list | tuple):
        return tuple(_told(one) for one in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float(value) if isinstance(value, bool) else value if value is None else str(value)
    return float(value)
