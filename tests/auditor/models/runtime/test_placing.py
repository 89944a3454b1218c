"""Where a model is put: by the room that GPUs are said to have. None is needed, and none is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import LANGUAGE_MODEL, open_weights
from auditor.models.runtime.placing import placement, put, size, spread_over
from auditor.models.runtime.writing.writer import Writer
from probes.input import Generate, Text
from tests.auditor.models.writers import make_language_model, save_writer


@pytest.fixture(scope="module")
def model() -> Any:
    return make_language_model("llama", num_hidden_layers=4)


def test_the_first_gpu_with_room_takes_it(model: Any) -> None:
    needed = size(model)
    assert placement(model, {0: 2 * needed, 1: 2 * needed}, "m") == "cuda:0"
    assert placement(model, {0: needed, 1: 2 * needed}, "m") == "cuda:1", "answers need room beside the weights"


def test_where_none_has_its_layers_are_spread_and_none_is_left_out(model: Any) -> None:
    needed = size(model)
    found = placement(model, {0: needed, 1: needed}, "m")
    assert isinstance(found, dict)
    assert set(found.values()) == {0, 1}
    for name, _ in model.named_parameters():
        assert sum(name == part or name.startswith(f"{part}.") for part in found) == 1, name
    blocks = [part for part in found if part.startswith("model.layers.")]
    assert all(part.count(".") == 2 for part in blocks), "no block is torn"


def test_too_little_room_everywhere_is_refused_with_the_figures(model: Any) -> None:
    with pytest.raises(ModelError, match=r"the GPUs here have 0\.0, 0\.0 GiB free") as caught:
        placement(model, {0: size(model) // 4, 1: size(model) // 4}, "m")
    assert "--device cpu" in caught.value.hint


def test_a_spread_model_answers_as_it_did(model: Any, tmp_path: Path) -> None:
    """Its parts are all on the CPU here, with what hands tensors from one to the other between them."""
    from accelerate import dispatch_model

    profile = read_profile(save_writer(model, tmp_path / "llama"))
    whole, parts = (open_weights(profile, LANGUAGE_MODEL, device="cpu", dtype="float32") for _ in range(2))
    needed = size(model)
    cut = placement(model, {0: needed, 1: needed}, "m")
    assert isinstance(cut, dict)
    spread = dispatch_model(parts.model, dict.fromkeys(cut, "cpu"), force_hooks=True)
    asked, how = [Text("the film was good"), Text("it is bad"), Text("great music")], Generate(tokens=6)
    first, second = (Writer(m, whole.tokenizer, max_length=64) for m in (whole.model, spread))
    assert first.generate(asked, how).texts == second.generate(asked, how).texts
    assert not second.notes
    spread.hf_device_map = cut
    assert "spread over 2" in second.notes[0]
    assert spread_over(whole.model) == 1
    assert put(whole.model, "cpu", "m").device.type == "cpu"
