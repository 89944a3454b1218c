"""Tiny models written on the spot, byte by byte, so that nothing of the engine is used to check the engine."""

from __future__ import annotations

import gc
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from auditor.models.files.profile import read_profile
from store.records import Profile

KINDS = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]


def round_bf16(values: np.ndarray) -> np.ndarray:
    """fp64 to BF16 bits, rounded once: the nearest of the two neighbours, ties to the even one, in Python floats."""
    cut = (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).astype(np.uint32)
    # float32 may have rounded away from zero past the value; the cut is still one of the two neighbours or next to it.
    candidates = np.stack([cut - 0x10000, cut, cut + 0x10000])
    away = np.abs(candidates.view(np.float32).astype(np.float64) - values)
    away[np.isnan(away)] = math.inf
    odd = (candidates >> 16) & 1
    best = np.lexsort((odd, away), axis=0)[0]
    return (np.take_along_axis(candidates, best[None], 0)[0] >> 16).astype(np.uint16)


def to_bytes(array: np.ndarray, dtype: str) -> bytes:
    if dtype == "BF16":
        return round_bf16(array.astype(np.float64).reshape(-1)).tobytes()
    return array.astype(KINDS[dtype]).tobytes()


def write_tensors(path: Path, tensors: Mapping[str, tuple[np.ndarray, str]]) -> None:
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data, at = [], 0
    for name, (array, dtype) in tensors.items():
        raw = to_bytes(array, dtype)
        table[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    header = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(data))


def read_tensors(directory: Path) -> dict[str, np.ndarray]:
    """All tensors of a model directory; BF16 widened to fp32."""
    found = {}
    for path in sorted(directory.glob("*.safetensors")):
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        table = json.loads(content[8 : 8 + length])
        table.pop("__metadata__", None)
        for name, entry in table.items():
            start, stop = entry["data_offsets"]
            raw = content[8 + length + start : 8 + length + stop]
            if entry["dtype"] == "BF16":
                array = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                array = np.frombuffer(raw, KINDS[entry["dtype"]])
            found[name] = array.reshape(entry["shape"])
    return found


Tensors = dict[str, tuple[np.ndarray, str]]


def make_tensors(seed: int, *, dtype: str = "F32", labels: int = 2, layers: int = 2, hidden: int = 8) -> Tensors:
    """A little encoder with a classifier, in the names of BERT."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"bert.embeddings.word_embeddings.weight": (len(VOCABULARY), hidden)}
    for layer in range(layers):
        shapes[f"bert.encoder.layer.{layer}.attention.self.query.weight"] = (hidden, hidden)
        shapes[f"bert.encoder.layer.{layer}.output.dense.bias"] = (hidden,)
    shapes |= {"classifier.bias": (labels,), "classifier.weight": (labels, hidden)}
    return {name: (rng.normal(0, 0.05, shape), dtype) for name, shape in shapes.items()}


def write_model(
    directory: Path,
    tensors: Tensors,
    *,
    labels: Sequence[str] = ("negative", "positive"),
    shards: int = 1,
    vocabulary: Sequence[str] = VOCABULARY,
    **config: object,
) -> Path:
    directory.mkdir(parents=True)
    settings = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "num_attention_heads": 2,
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 64,
        **config,
    }
    (directory / "config.json").write_text(json.dumps(settings), "utf-8")
    (directory / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    (directory / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}), "utf-8")
    if shards == 1:
        write_tensors(directory / "model.safetensors", tensors)
        return directory
    names, places = list(tensors), {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        mine = names[number::shards]
        write_tensors(directory / file, {name: tensors[name] for name in mine})
        places |= dict.fromkeys(mine, file)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return directory


Make = Callable[..., Profile]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a model and profiles it: `make("name", seed=1, dtype="BF16", tensors=…, labels=…, shards=…)`."""

    def build(name: str, seed: int = 0, tensors: Tensors | None = None, **options: object) -> Profile:
        shape = {key: options.pop(key) for key in ("dtype", "layers", "hidden") if key in options}
        labels = options.get("labels", ("negative", "positive"))
        found = tensors if tensors is not None else make_tensors(seed, labels=len(labels), **shape)
        return read_profile(write_model(tmp_path / name, found, **options), reference=name)

    return build


@pytest.fixture
def light_heap() -> Iterator[None]:
    """A garbage collection goes over what the test makes, not over all that its process holds: so times are its own."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
