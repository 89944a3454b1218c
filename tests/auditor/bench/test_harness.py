"""What lm-evaluation-harness scores for us is what it scores by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.bench.choose import benchmarks_for
from auditor.bench.harness import HarnessTask, local_task, silent
from auditor.bench.local import LOCAL
from auditor.bench.opening import Subject
from auditor.bench.run import run_benchmarks
from auditor.bench.spread import standard_error
from auditor.events import Progress
from auditor.models.resolver import Resolver
from auditor.requests.bench import BenchRequest
from benchmarks.llm_tasks import define
from store.catalog import Catalog
from store.engine import open_catalog
from store.records import BenchmarkScore, Profile

lm_eval = pytest.importorskip("lm_eval", reason="needs the extra `bench`")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


def profile_of(path: Path, catalog: Catalog) -> Profile:
    return Resolver(catalog).profile(str(path))


def run(request: BenchRequest, profile: Profile, catalog: Catalog, stop: int | None = None) -> Any:
    """The scores, or what was seen until the run was stopped behind so many events of progress."""
    running = run_benchmarks(benchmarks_for(request, profile), profile, "cpu", "float32", catalog.benchmarks)
    seen: list[Progress] = []
    while True:
        try:
            event = next(running)
        except StopIteration as end:
            return end.value, seen
        seen += [event] if isinstance(event, Progress) else []
        if stop is not None and len(seen) == stop:
            running.close()
            return (), seen


def own_task(name: str, data: Path, place: Path) -> Any:
    """The harness's own task of a name, told where the rows are."""
    import datasets
    from lm_eval.tasks import TaskManager

    define(name, data, place)
    with silent():
        manager = TaskManager(include_path=str(place), include_defaults=False)
        task = manager.load([f"own_{name}"])["tasks"][f"own_{name}"]
        task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=1234)
    assert str(datasets.config.HF_DATASETS_CACHE).startswith(str(place.parent))
    return task


def asked(task: Any) -> list[Any]:
    with silent():
        task.build_all_requests(limit=None, rank=0, world_size=1)
    return [(instance.doc_id, instance.request_type, instance.args) for instance in task.instances]


@pytest.mark.parametrize("name", LOCAL)
def test_a_task_of_ours_asks_what_the_harness_asks(name: str, data: Path, tmp_path: Path) -> None:
    place = tmp_path / "tasks"
    place.mkdir()
    own = own_task(name, data, place)
    ours = local_task(name, BenchRequest((name,), str(data))).task
    assert asked(ours) == asked(own)
    assert ours.aggregation() == own.aggregation()
    assert ours.higher_is_better() == own.higher_is_better()
    assert (name == "arc_challenge") or ours.VERSION == own.VERSION


def test_parts_give_the_figures_of_one_run_of_the_harness(
    data: Path, writer: Path, tmp_path: Path, catalog: Catalog
) -> None:
    from lm_eval.evaluator import evaluate

    place = tmp_path / "tasks"
    place.mkdir()
    names = ("winogrande", "lambada_openai", "arc_easy")
    profile = profile_of(writer, catalog)
    scores, _ = run(BenchRequest(names, str(data)), profile, catalog)
    subject = Subject(profile, "cpu", "float32")
    tasks = {f"own_{name}": own_task(name, data, place) for name in names}
    with silent():
        whole: Any = evaluate(subject.harness(1), {"tasks": tasks}, bootstrap_iters=2000)["results"]
    for score in scores:
        assert score.value == whole[f"own_{score.task}"][f"{score.metric},none"], (score.task, score.metric)
        assert score.rows == 11
        if score.metric != "perplexity":
            assert score.stderr == whole[f"own_{score.task}"][f"{score.metric}_stderr,none"]
    assert [s.metric for s in scores if s.main] == ["acc", "acc", "acc"]


def test_standard_errors_are_those_of_the_harness(data: Path) -> None:
    from lm_eval.api.metrics import _bootstrap_internal, perplexity, sample_stddev

    task = local_task("lambada_openai", BenchRequest(("lambada_openai",), str(data))).task
    rows = [-1.5, -0.2, -3.75, -2.0, -9.5]
    drawn = [v for i in range(100) for v in _bootstrap_internal(perplexity, 1000)((i, rows))]
    value, error = standard_error(task, "perplexity", rows)
    assert value == perplexity(rows)
    assert error == pytest.approx(sample_stddev(drawn), rel=1e-12)
    hits = [1.0, 0.0, 1.0]
    assert standard_error(task, "acc", hits) == (2 / 3, pytest.approx(math.sqrt(1 / 9)))


def test_a_run_that_was_stopped_goes_on_with_equal_scores(
    data: Path, writer: Path, catalog: Catalog, tmp_path: Path
) -> None:
    request, profile = BenchRequest(("arc_easy",), str(data), few_shot=2), profile_of(writer, catalog)
    _, seen = run(request, profile, catalog, stop=1)
    assert (seen[0].done, seen[0].total) == (8, 11)
    scores, seen = run(request, profile, catalog)
    assert [s.done for s in seen] == [8, 11], "what was scored is not asked again"
    again, none = run(request, profile, catalog)
    assert (again, none) == (scores, [])
    with open_catalog(f"sqlite:///{tmp_path / 'other.db'}") as empty:
        whole, _ = run(request, profile, empty)
    assert whole == scores


def test_each_model_has_its_own_rows(data: Path, writer: Path, other_writer: Path, catalog: Catalog) -> None:
    request = BenchRequest(("lambada_openai",), str(data))
    one, two = (run(request, profile_of(path, catalog), catalog)[0] for path in (writer, other_writer))
    assert one[0].run != two[0].run
    assert one[0].value != two[0].value
    alone, _ = run(request, profile_of(writer, catalog), catalog)
    assert alone == one


@pytest.mark.parametrize(
    "changed",
    [
        BenchRequest(("arc_easy",), few_shot=1),
        BenchRequest(("arc_easy",), limit=3),
        BenchRequest(("arc_easy",), chat_template=True),
        BenchRequest(("arc_easy",), batch_size=2),
    ],
)
def test_whatever_changes_scores_changes_the_key(changed: BenchRequest, data: Path) -> None:
    from dataclasses import replace

    plain = local_task("arc_easy", BenchRequest(("arc_easy",), str(data)))
    assert local_task("arc_easy", replace(changed, data=str(data))).digest != plain.digest
    assert local_task("arc_easy", BenchRequest(("arc_easy",), str(data))).digest == plain.digest
    assert isinstance(plain, HarnessTask)


def test_a_chat_template_is_used_where_asked_for(data: Path, writer: Path, catalog: Catalog) -> None:
    profile = profile_of(writer, catalog)
    plain, _ = run(BenchRequest(("piqa",), str(data)), profile, catalog)
    chat, _ = run(BenchRequest(("piqa",), str(data), chat_template=True, batch_size=4), profile, catalog)
    assert "no chat template" in plain[0].asked
    assert "the model's chat template" in chat[0].asked
    found: BenchmarkScore = chat[0]
    assert catalog.benchmarks.find(found.run) is not None
