"""What messages quote of files can command a terminal, turn its text around, or be without end: it is shown instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.console.guard import MOST_SHOWN, told
from auditor.data.rows import read_rows
from auditor.errors import AuditorError, UsageError
from auditor.models.files.profile import read_profile
from auditor.policy import read_policy
from auditor.requests.scan import DataRequest
from probes.errors import InputError
from probes.trigger_file import read_triggers
from tests.auditor.safety.folders import gguf, honest, safetensors, weights, write_json

EVIL = "\x1b[2J\x1b]0;t\x07 \x9b31m\u202egnp\u200b\r\x00\x08"
LAYER = weights()["classifier.weight"]
FORBIDDEN = {"\x1b", "\x07", "\x9b", "\u202e", "\u200b", "\r", "\x00", "\x08"}


def adapter(place: Path, **config: Any) -> Path:
    place.mkdir()
    write_json(place / "adapter_config.json", {"peft_type": "LORA", "r": 1, **config})
    (place / "adapter_model.safetensors").write_bytes(
        safetensors({f"base.{EVIL}.lora_A.weight": weights()["classifier.weight"]})
    )
    return place


def edited(place: Path, file: str = "config.json", **changes: Any) -> Path:
    honest(place)
    write_json(place / file, {**json.loads((place / file).read_text()), **changes})
    return place


def indexed(place: Path, weight_map: dict[str, str]) -> Path:
    honest(place)
    (place / "model.safetensors").unlink()
    write_json(place / "model.safetensors.index.json", {"weight_map": weight_map})
    return place


def weighted(place: Path, raw: bytes) -> Path:
    (honest(place) / "model.safetensors").write_bytes(raw)
    return place


def header(**entry: Any) -> bytes:
    raw = json.dumps({f"w{EVIL}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **entry}}).encode()
    return len(raw).to_bytes(8, "little") + raw + b"abcd"


def written(place: Path, text: str) -> Path:
    place.write_text(text, encoding="utf-8")
    return place


def rows_of(path: Path, text: str, column: str | None = None) -> DataRequest:
    return DataRequest(str(written(path, text)), text_column=column)


PATHS: dict[str, Callable[[Path], object]] = {
    "peft_type": lambda p: read_profile(adapter(p / "m", peft_type=EVIL, base_model_name_or_path=EVIL)),
    "adapter without its half": lambda p: read_profile(adapter(p / "m")),
    "bias": lambda p: read_profile(adapter(p / "m", bias=EVIL)),
    "init": lambda p: read_profile(adapter(p / "m", init_lora_weights=EVIL)),
    "key of an adapter": lambda p: read_profile(adapter(p / "m", **{EVIL: True})),
    "auto_map": lambda p: read_profile(edited(p / "m", auto_map={"a": EVIL})),
    "kernel": lambda p: read_profile(edited(p / "m", attn_implementation=f"a/{EVIL}")),
    "weights by name": lambda p: read_profile(edited(p / "m", transformers_weights=EVIL)),
    "quantised": lambda p: read_profile(edited(p / "m", quantization_config={"quant_method": EVIL})),
    "id2label": lambda p: read_profile(edited(p / "m", id2label={EVIL: "a"})),
    "file of an index": lambda p: read_profile(indexed(p / "m", {"w": EVIL.replace("\0", "")})),
    "tensor of an index": lambda p: read_profile(indexed(p / "m", {EVIL: "a.safetensors"})),
    "dtype": lambda p: read_profile(weighted(p / "m", header(dtype=EVIL))),
    "shape": lambda p: read_profile(weighted(p / "m", header(shape=[7]))),
    "wrapped": lambda p: read_profile(weighted(p / "m", safetensors({f"_orig_mod.{EVIL}": LAYER}))),
    "second set": lambda p: (
        (honest(p / "m") / f"{EVIL}.safetensors".replace("\0", "")).write_bytes(safetensors(weights())),
        read_profile(p / "m"),
    ),
    "architecture of a GGUF file": lambda p: (
        (p / "m.gguf").write_bytes(gguf({"general.architecture": EVIL})), read_profile(p / "m.gguf"),
    ),
    "name of a folder": lambda p: read_profile(p / EVIL.replace("\0", "")),
    "key of a policy": lambda p: read_policy(written(p / "p.toml", f"{json.dumps(EVIL)} = 1\n")),
    "policy that is none": lambda p: read_policy(written(p / "p.toml", EVIL)),
    "trigger": lambda p: read_triggers(str(written(p / "t.toml", f"[[trigger]]\nname = {json.dumps(EVIL)}\n"))),
    "columns": lambda p: read_rows(rows_of(p / "a.csv", f"x{EVIL[:3]},y\n1,2\n", "t"), ("a", "b")),
    "labels": lambda p: read_rows(rows_of(p / "a.jsonl", json.dumps({"text": "a", "label": EVIL})), ("a", "b")),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_what_is_quoted_is_shown(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((AuditorError, InputError)) as caught:
        PATHS[name](tmp_path)
    assert told(caught.value) in (2, 3)
    said = capsys.readouterr().err
    assert said.startswith("auditor: ")
    assert not FORBIDDEN & set(said)


def test_a_message_without_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    told(UsageError("begin" + "x" * 10**7 + "end", hint="\n".join(["hint"] * 10_000)))
    said = capsys.readouterr().err
    assert len(said) < 3 * MOST_SHOWN
    assert said.startswith("auditor: begin")
    assert "end\n" in said
