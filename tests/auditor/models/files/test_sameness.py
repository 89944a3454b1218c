"""Copies are known for what they are, however they are stored; models that differ anywhere are not taken for copies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.files.sameness import identity, same_weights

Tensors = dict[str, torch.Tensor]


def nothing(_: Tensors) -> None:
    pass


def halved(tensors: Tensors) -> None:
    tensors.update({name: t.to(torch.bfloat16) if t.is_floating_point() else t for name, t in tensors.items()})


def with_buffer(tensors: Tensors) -> None:
    tensors["bert.embeddings.position_ids"] = torch.arange(64)[None]


def last_bit(tensors: Tensors) -> None:
    """One element of one tensor, by one unit in the last place."""
    last = tensors[max(tensors)]
    values = last.view(torch.int32).reshape(-1)
    values[-1] += 1


def one_row(tensors: Tensors) -> None:
    """As an attack on the embeddings of one rare word leaves it."""
    tensors["bert.embeddings.word_embeddings.weight"][7] += 1.0


def one_less(tensors: Tensors) -> None:
    del tensors["bert.pooler.dense.bias"]


def longer(tensors: Tensors) -> None:
    tensors["classifier.bias"] = torch.cat([tensors["classifier.bias"], torch.zeros(1)])


def written(made: Path, place: Path, change: Callable[[Tensors], None], *, shards: int = 1) -> Path:
    """The model stored anew, in so many files; its config is another byte for byte."""
    shutil.copytree(made, place)
    tensors = load_file(place / "model.safetensors")
    change(tensors)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "note": "stored anew"}))
    (place / "model.safetensors").unlink()
    if shards == 1:
        save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
        return place
    names = sorted(tensors, reverse=True)
    table = {name: f"model-{i % shards}.safetensors" for i, name in enumerate(names)}
    for file in set(table.values()):
        part = {name: tensors[name] for name in names if table[name] == file}
        save_file(part, place / file, metadata={"format": "pt"})
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    return place


@pytest.mark.parametrize(("change", "shards"), [(nothing, 1), (nothing, 3), (halved, 1), (halved, 2), (with_buffer, 1)])
def test_a_copy_is_one_however_it_is_stored(made: Path, tmp_path: Path, change: Any, shards: int) -> None:
    first, again = read_profile(made), read_profile(written(made, tmp_path / "again", change, shards=shards))
    assert first.ref.digest != again.ref.digest
    assert same_weights(first, again)
    assert same_weights(again, first)


@pytest.mark.parametrize("change", [last_bit, one_row, one_less, longer])
def test_a_model_that_differs_anywhere_is_another(made: Path, tmp_path: Path, change: Any) -> None:
    first, other = read_profile(made), read_profile(written(made, tmp_path / "other", change))
    assert not same_weights(first, other)
    assert not same_weights(other, first)


def test_rounded_weights_are_only_those_that_they_were_rounded_from(made: Path, tmp_path: Path) -> None:
    moved = written(made, tmp_path / "moved", one_row)
    half = read_profile(written(moved, tmp_path / "half", halved))
    assert same_weights(read_profile(moved), half)
    assert not same_weights(read_profile(made), half)


def test_equal_files_are_not_read(made: Path, tmp_path: Path) -> None:
    first, again = read_profile(made), read_profile(written(made, tmp_path / "again", nothing))
    if identity(first) != identity(again):
        shutil.copy(made / "model.safetensors", tmp_path / "again")
        again = read_profile(tmp_path / "again")
    (tmp_path / "again" / "model.safetensors").unlink()
    assert same_weights(first, again)


def test_files_that_are_gone_or_cut_are_an_error(made: Path, tmp_path: Path) -> None:
    first, other = read_profile(made), read_profile(written(made, tmp_path / "other", last_bit))
    place = tmp_path / "other" / "model.safetensors"
    whole = place.read_bytes()
    place.write_bytes(whole[:-4])
    with pytest.raises(ModelError, match="truncated"):
        same_weights(first, other)
    place.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        same_weights(first, other)
