"""A merge that ends early leaves nothing that looks like a model."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import DiskError, ModelError
from auditor.events import Progress
from auditor.merge.engine.engine import merge
from auditor.merge.engine.files import InputFile, Turns
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify
from auditor.models.files.profile import read_profile
from store.records import Profile
from tests.auditor.merge.conftest import Make, write_tensors

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def recipe(make: Make) -> Recipe:
    """Six megabytes a model: long enough to be struck in the middle."""
    tables = [{f"t{n:03}": (np.full((128, 128), seed + n), "F32") for n in range(96)} for seed in (1.0, 2.0, 3.0)]
    models = [make(name, tensors=table) for name, table in zip("abc", tables, strict=True)]
    return Recipe(models[0], tuple(models[1:]))


def drain(recipe: Recipe, output: Path) -> None:
    list(merge(recipe, output, budget_bytes=1))


@pytest.fixture(params=["ties", "slerp", "adapter"])
def longer(request: pytest.FixtureRequest, make: Make, tmp_path: Path) -> Recipe:
    """Merges that look at whole tensors first, and one of adapters."""
    if request.param == "adapter":
        adapters = [write_adapter(tmp_path / name, seed) for seed, name in enumerate("xyz")]
        return Recipe(adapters[0], tuple(adapters[1:]))
    tables = [{f"t{n}": (np.full((512, 512), seed * (n + 1)), "F32") for n in range(6)} for seed in (1.0, 2.0, 3.0)]
    models = [make(name, tensors=table) for name, table in zip("abc", tables, strict=True)]
    if request.param == "slerp":
        return Recipe(models[0], (models[1],), strategy="slerp")
    return Recipe(models[0], (models[1],), strategy="ties", base=models[2])


def write_adapter(directory: Path, seed: int) -> Profile:
    """Forty layers of rank 16."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in range(40):
        place = f"base_model.model.bert.encoder.layer.{layer}.attention.self.query"
        tensors[f"{place}.lora_A.weight"] = (rng.normal(size=(16, 256)), "F32")
        tensors[f"{place}.lora_B.weight"] = (rng.normal(size=(256, 16)), "F32")
    directory.mkdir()
    write_tensors(directory / "adapter_model.safetensors", tensors)
    config = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "base_model_name_or_path": "b", "task_type": "SEQ_CLS"}
    (directory / "adapter_config.json").write_text(json.dumps(config))
    return read_profile(directory, reference=directory.name)


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


def kill_at_ten_moments(recipe: Recipe, place: Path) -> int:
    """Strikes ten merges; what each leaves is whole or nothing, and the next one cleans up. Returns the struck."""
    began = time.monotonic()
    drain(recipe, place / "first")
    length = time.monotonic() - began
    struck = 0
    for moment in range(10):
        output = place / f"out{moment}"
        child = FORK.Process(target=drain, args=(recipe, output))
        child.start()
        time.sleep(length * (moment + 0.5) / 10)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        if output.exists():
            assert verify(output) == []
            continue
        struck += 1
        drain(recipe, output)
        assert verify(output) == []
        assert leftovers(place) == []
    return struck


def test_killed_at_any_moment_leaves_no_half_model(recipe: Recipe, tmp_path: Path) -> None:
    assert kill_at_ten_moments(recipe, tmp_path)


def test_killed_at_any_moment_of_a_longer_merge(longer: Recipe, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    assert kill_at_ten_moments(longer, tmp_path / "place")


def test_a_longer_merge_with_little_room_leaves_nothing(longer: Recipe, tmp_path: Path) -> None:
    answer = FORK.SimpleQueue()
    child = FORK.Process(target=merge_with_little_room, args=(longer, tmp_path / "place" / "out", answer))
    child.start()
    message = answer.get()
    child.join()
    assert "no room in" in message
    assert leftovers(tmp_path / "place") == []


@pytest.mark.parametrize("truncate", [True, False])
def test_a_source_struck_during_a_longer_merge(longer: Recipe, tmp_path: Path, truncate: bool) -> None:
    (tmp_path / "place").mkdir()
    events = merge(longer, tmp_path / "place" / "out", budget_bytes=1)
    next(events)
    (weights,) = Path(longer.partners[0].ref.path).glob("*.safetensors")
    if truncate:
        with weights.open("r+b") as file:
            file.truncate(weights.stat().st_size - 40)
    else:
        content = bytearray(weights.read_bytes())
        content[-3] ^= 1
        weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"truncated|changed") as caught:
        list(events)
    assert str(weights) in caught.value.message
    assert "run the command again" in caught.value.hint
    assert not (tmp_path / "place" / "out").exists()
    assert leftovers(tmp_path / "place") == []


def test_leftovers_of_a_living_merge_are_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    living = tmp_path / f".out.partial-{os.getpid()}-00c0ffee"
    other = tmp_path / ".other.partial-999999999-00c0ffee"
    dead = tmp_path / ".out.partial-999999999-00c0ffee"
    for directory in (living, other, dead):
        directory.mkdir()
    drain(recipe, tmp_path / "out")
    assert sorted(leftovers(tmp_path)) == sorted([living.name, other.name])


@pytest.mark.parametrize("after", [1, 2])
def test_a_closed_generator_leaves_nothing(recipe: Recipe, tmp_path: Path, after: int) -> None:
    events = merge(recipe, tmp_path / "out", budget_bytes=1)
    for _ in range(after):
        next(events)
    events.close()
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []
    assert [thread.name for thread in threading.enumerate() if thread.name == "merge"] == []


def test_an_interrupt_leaves_nothing(recipe: Recipe, tmp_path: Path) -> None:
    events = merge(recipe, tmp_path / "out", budget_bytes=1)
    for event in events:
        if isinstance(event, Progress):
            break
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def merge_with_little_room(recipe: Recipe, output: Path, answer: multiprocessing.SimpleQueue[str]) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        drain(recipe, output)
    except DiskError as error:
        answer.put(error.message)
    else:
        answer.put("it was merged")


def test_a_file_that_may_not_grow_is_a_full_disk(recipe: Recipe, tmp_path: Path) -> None:
    answer = FORK.SimpleQueue()
    child = FORK.Process(target=merge_with_little_room, args=(recipe, tmp_path / "out", answer))
    child.start()
    message = answer.get()
    child.join()
    assert "no room in" in message
    assert "bytes" in message
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def test_a_file_rewritten_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 100)
    file = InputFile("model", path, "", Turns())
    try:
        file.read(0, np.empty(10, np.uint8))
        time.sleep(0.02)
        path.write_bytes(b"b" * 100)
        with pytest.raises(ModelError, match="was changed while it was read"):
            file.finish()
    finally:
        file.close()
