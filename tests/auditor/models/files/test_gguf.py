"""GGUF files by their header: written here byte by byte, so that damage is of our own making."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import AuditorError, IncompatibleError, ModelError, UsageError
from auditor.merge.recipe import Recipe
from auditor.models.files.adapted import on_base
from auditor.models.files.gguf.profile import CLASSES, chat_template, is_gguf
from auditor.models.files.gguf.reader import FORMATS, read_gguf
from auditor.models.files.profile import read_profile
from auditor.models.files.sameness import same_weights
from auditor.models.resolver import Resolver
from auditor.models.runtime.load import CLASSIFIER, LANGUAGE_MODEL, open_weights
from auditor.models.runtime.tokenizer import load_tokenizer
from probes.input import Text
from store.engine import open_catalog
from store.records import Task
from tests.auditor.models.adapters import write_adapter, write_base

WORDS = ("<unk>", "<s>", "</s>", "g", "o", "d", "go", "od", "good")
METADATA: dict[str, Any] = {
    "general.architecture": "llama", "general.alignment": 32, "llama.context_length": 64, "llama.embedding_length": 32,
    "llama.block_count": 1, "llama.feed_forward_length": 32, "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1, "llama.attention.layer_norm_rms_epsilon": 1e-6, "llama.vocab_size": len(WORDS),
    "llama.rope.dimension_count": 16, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": WORDS, "tokenizer.ggml.token_type": (2, 3, 3, 1, 1, 1, 1, 1, 1),
    "tokenizer.ggml.merges": ("g o", "o d", "go od"),
    "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.chat_template": "{{ messages[0].content }}",
    "general.base_model.count": 1, "general.base_model.0.repo_url": "https://huggingface.co/org/tiny",
}  # fmt: skip
SHAPES = {
    "token_embd": (len(WORDS), 32), "blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32),
    "blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (32, 32), "blk.0.ffn_up": (32, 32), "blk.0.ffn_down": (32, 32),
}  # fmt: skip


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, tuple):
        inner = b"".join(text(word) if isinstance(word, str) else struct.pack("<i", word) for word in item)
        return struct.pack("<IIQ", 9, 8 if isinstance(item[0], str) else 5, len(item)) + inner
    return struct.pack("<If", 6, item) if isinstance(item, float) else struct.pack("<II", 4, item)


def head(metadata: dict[str, Any], tensors: list[tuple[str, tuple[int, ...], int, int]], version: int = 3) -> bytes:
    parts = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    parts += [text(key) + value(item) for key, item in metadata.items()]
    for name, shape, kind, offset in tensors:
        dims = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        parts.append(text(name) + dims + struct.pack("<IQ", kind, offset))
    whole = b"".join(parts)
    return whole + bytes(-len(whole) % 32)


def write_gguf(path: Path, **changes: Any) -> Path:
    """A tiny Llama: matrices of Q8_0, norms of F32."""
    import numpy as np

    rng = np.random.default_rng(0)
    metadata = {key: item for key, item in {**METADATA, **changes}.items() if item is not None}
    tensors, data = [], b""
    for name, shape in SHAPES.items():
        blocks = shape[0] * shape[1] // 32
        raw = b"".join(np.float16(0.02).tobytes() + rng.integers(-99, 99, 32, np.int8).tobytes() for _ in range(blocks))
        tensors.append((f"{name}.weight", shape, 8, len(data)))
        data += raw + bytes(-len(raw) % 32)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        tensors.append((f"{name}.weight", (32,), 0, len(data)))
        data += np.ones(32, np.float32).tobytes()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(head(metadata, tensors) + data)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "model" / "tiny.gguf")


def test_its_profile_is_from_its_metadata(file: Path, tmp_path: Path) -> None:
    found = read_profile(file.parent, reference="tiny")
    assert found == read_profile(file, reference="tiny")
    assert (found.architecture, found.model_type, found.task) == ("LlamaForCausalLM", "llama", Task.GENERATION)
    assert (found.dtype, found.max_length, found.vocabulary, found.base) == ("Q8_0", 64, len(WORDS), "org/tiny")
    assert found.parameters == sum(a * b for a, b in SHAPES.values()) + 96
    assert found.ref.path == str(file)
    assert is_gguf(found)
    assert chat_template(found) == METADATA["tokenizer.chat_template"]
    assert "stored as Q8_0, F32" in found.read.notes[0]
    assert "llama.cpp" in found.read.notes[0]
    other = read_profile(write_gguf(tmp_path / "other.gguf", **{"tokenizer.chat_template": None}))
    assert other.ref.digest != found.ref.digest
    assert other.tokenizer_digest == found.tokenizer_digest
    assert "The file has no chat template." in other.read.notes
    assert not same_weights(found, other)


def test_it_is_loaded_as_plain_numbers(file: Path) -> None:
    import torch

    profile = read_profile(file)
    opened = open_weights(profile, LANGUAGE_MODEL, device="cpu", dtype="float32")
    assert opened.model.dtype == torch.float32
    assert opened.tokenizer.chat_template == METADATA["tokenizer.chat_template"]
    raw = file.read_bytes()
    place = next(t for t in read_gguf(file).tensors if t.name == "blk.0.ffn_up.weight")
    first = torch.frombuffer(bytearray(raw[place.begin + 2 : place.begin + 34]), dtype=torch.int8).float()
    scale = torch.frombuffer(bytearray(raw[place.begin : place.begin + 2]), dtype=torch.float16).float()
    stored = opened.model.state_dict()["model.layers.0.mlp.up_proj.weight"]
    torch.testing.assert_close(stored[0], first * scale)
    assert load_tokenizer(profile).loaded.endswith("its vocabulary from tiny.gguf")
    assert load_tokenizer(profile).count([Text("good")]) == [1]
    with pytest.raises(UsageError, match="no classifier"):
        open_weights(profile, CLASSIFIER, device="cpu", dtype="float32")


def test_bytes_that_changed_since_are_not_loaded(file: Path) -> None:
    profile = read_profile(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="changed while it was being read"):
        open_weights(profile, LANGUAGE_MODEL, device="cpu", dtype="float32")


def test_it_is_catalogued_and_found_again_by_its_name(file: Path, tmp_path: Path) -> None:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        resolver = Resolver(catalog)
        first = resolver.profile(str(file))
        assert resolver.profile("tiny.gguf").ref.digest == first.ref.digest
        write_gguf(file, **{"general.name": "anew"})
        assert resolver.profile(str(file)).ref.digest != first.ref.digest


def test_it_is_neither_merged_nor_a_base(file: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    found = read_profile(file)
    with pytest.raises(IncompatibleError, match="is a GGUF file"):
        Recipe(read_profile(base), (found,))
    with pytest.raises(IncompatibleError, match="is a GGUF file"):
        on_base(read_profile(write_adapter(tmp_path / "a", base)), found)


def test_a_missing_package_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from auditor.models.runtime import gguf

    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="takes the package gguf") as caught:
        load_tokenizer(read_profile(file))
    assert "auditor[gguf]" in caught.value.hint


def test_every_truncation_is_told(file: Path) -> None:
    whole = file.read_bytes()
    start = read_gguf(file).start
    for length in (*range(0, start, 97), start, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="damaged"):
            read_profile(file)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"GGML" + bytes(40), "begins with b'GGML'"),
        (head({}, [], version=1), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "promises"),
        (head({}, []) + b"", "does not say of which architecture"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 1 << 50), "ends within k"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "list of values of type 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "type 77"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"\xff" + bytes(8), "no UTF-8"),
        (head({"general.alignment": 3}, []), "alignment is 3"),
        (head({}, [("a", (3,), 99, 0)]), "format 99"),
        (head({}, [("a", (33,), 8, 0)]) + bytes(99), "no whole blocks"),
        (head({}, [("a", (8,), 0, 0), ("b", (8,), 0, 0)]) + bytes(64), "overlaps"),
        (head({}, [("a", (8,), 0, 0), ("a", (8,), 0, 32)]) + bytes(64), "one name"),
        (head({}, [("a", (8,), 0, 7)]) + bytes(64), "not aligned"),
        (head({}, [("a", (1, 1, 1, 1, 1), 0, 0)]) + bytes(64), "5 dimensions"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=match):
        read_profile(path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"general.architecture": "clip"}, "of the architecture 'clip'"),
        ({"split.count": 3}, "one of 3 parts"),
        ({"general.type": "adapter"}, "holds adapter weights"),
    ],
)
def test_what_is_no_whole_model_that_writes_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(AuditorError, match=match):
        read_profile(write_gguf(tmp_path / "a.gguf", **changes))


def test_formats_and_classes_are_those_of_the_libraries() -> None:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    for number, (name, block, size) in FORMATS.items():
        if number in set(GGMLQuantizationType):
            assert (GGMLQuantizationType(number).name, *GGML_QUANT_SIZES[GGMLQuantizationType(number)]) == (
                name, block, size,
            )  # fmt: skip
    for architecture, (name, kind) in CLASSES.items():
        assert MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind] == name
        assert {architecture, kind, architecture.replace("-", "_")} & set(GGUF_SUPPORTED_ARCHITECTURES)
