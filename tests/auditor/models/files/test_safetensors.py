"""Damaged, hostile and foreign model files are refused by reading them, with a message that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.profile import read_profile
from auditor.models.files.safetensors import INDEX, find_weights, read_header
from auditor.models.files.untrusted import read_json


def write(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)
    return path


def entry(begin: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def test_reads_what_safetensors_wrote(made: Path) -> None:
    from safetensors import safe_open

    ours = read_header(made / "model.safetensors")
    with safe_open(made / "model.safetensors", framework="np") as file:
        theirs = {n: (tuple(file.get_slice(n).get_shape()), file.get_slice(n).get_dtype()) for n in file.keys()}  # noqa: SIM118
        first = file.get_tensor(ours[0].info.name)
    assert {t.info.name: (t.info.shape, t.info.dtype) for t in ours} == theirs
    assert (made / "model.safetensors").read_bytes()[ours[0].begin : ours[0].end] == first.tobytes()


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.9999])
def test_truncated_at_any_point(model: Path, share: float) -> None:
    path = model / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged") as caught:
        read_profile(model)
    assert "again" in caught.value.hint


@pytest.mark.parametrize(
    ("header", "data", "says"),
    [
        (b"", b"", "does not fit"),
        (b"{]", b"", "not JSON"),
        (b"[1]", b"", "not a JSON object"),
        (b'{"a":' * 9000, b"", "not JSON"),
        ({"a": entry(0, 8), "b": entry(4, 12)}, b"0" * 12, "overlaps"),
        ({"a": entry(0, 4), "b": entry(8, 12)}, b"0" * 12, "gap"),
        ({"a": entry(0, 8)}, b"0" * 12, "belong to no tensor"),
        ({"a": entry(0, 8)}, b"0" * 4, "truncated"),
        ({"a": entry(0, 8, [3])}, b"0" * 8, "does not take"),
        ({"a": entry(0, 8, dtype="PICKLE")}, b"0" * 8, "unknown dtype"),
        ({"a": entry(8, 0, [2])}, b"0" * 8, "off"),
        ({"a": entry(0, 4, [-1])}, b"0" * 4, "off"),
        ({"a": entry(0, 4, [True])}, b"0" * 4, "off"),
        ({"a": 3}, b"", "no object"),
        (b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{}}', b"", "given twice"),
    ],
)
def test_damaged_headers(tmp_path: Path, header: object, data: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        read_header(write(tmp_path / "x.safetensors", header, data))


def test_a_huge_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="at most"):
        read_header(write(tmp_path / "x.safetensors", {}, length=2**62))


def shard(model: Path) -> dict[str, str]:
    """Splits the tiny model into two files and an index."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    places = {}
    for number, names in enumerate([sorted(tensors)[:10], sorted(tensors)[10:]], start=1):
        name = f"model-{number:05}-of-00002.safetensors"
        save_file({n: tensors[n] for n in names}, model / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(names, name))
    (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def test_shards_have_the_same_inventory(made: Path, model: Path) -> None:
    whole = read_profile(made)
    shard(model)
    parts = read_profile(model)
    assert (parts.signature, parts.parameters, parts.tensors) == (whole.signature, whole.parameters, whole.tensors)
    assert {INDEX, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} <= set(parts.files)


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/etc/passwd", "a/b.safetensors", "..", "a\\b.safetensors", ""]
)
def test_an_index_cannot_point_elsewhere(model: Path, name: str) -> None:
    places = shard(model)
    (model.parent / "outside.safetensors").write_bytes((model / "model-00001-of-00002.safetensors").read_bytes())
    places[min(places)] = name
    (model / INDEX).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ModelError, match="beside the index"):
        find_weights(model)


@pytest.mark.parametrize("change", ["missing shard", "wrong shard", "not listed", "no map"])
def test_index_and_shards_must_agree(model: Path, change: str) -> None:
    places = shard(model)
    if change == "missing shard":
        (model / places[max(places)]).unlink()
    elif change == "wrong shard":
        places[min(places)] = places[max(places)]
    elif change == "not listed":
        del places[min(places)]
    (model / INDEX).write_text(json.dumps({} if change == "no map" else {"weight_map": places}))
    with pytest.raises(ModelError, match=r"model-00002|not in|weight_map"):
        find_weights(model)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl", "tf_model.h5", "m.onnx"])
def test_other_formats_are_refused_unopened(model: Path, name: str) -> None:
    (model / "model.safetensors").unlink()
    (model / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ModelError, match=name) as caught:
        read_profile(model)
    assert "save_pretrained" in caught.value.hint


def test_safetensors_beside_a_pickle_are_taken(model: Path) -> None:
    before = read_profile(model)
    (model / "pytorch_model.bin").write_bytes(b"anything")
    assert read_profile(model).ref.digest == before.ref.digest


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "own code"),
        ("config.json", {"text_config": {"inner": [{"auto_map": {"AutoConfig": "x.C"}}]}}, "own code"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}, "own code"),
        ("config.json", {"attn_implementation": "someone/kernel"}, "kernel"),
        ("config.json", {"_attn_implementation": {"text_config": "someone/kernel"}}, "kernel"),
        ("config.json", {"transformers_weights": "../other.safetensors"}, "weight file"),
    ],
)
def test_models_that_bring_code_are_refused(model: Path, file: str, change: dict[str, object], says: str) -> None:
    path = model / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=says):
        read_profile(model)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"a":1,"a":2}', b"[" * 100_000])
def test_damaged_config(model: Path, content: bytes) -> None:
    (model / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json is damaged"):
        read_profile(model)


def test_json_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": "' + "x" * 100 + '"}')
    with pytest.raises(ModelError, match="more than any"):
        read_json(tmp_path / "config.json", limit=50)


def test_no_weights_is_no_model(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="holds no weights"):
        read_profile(model)
