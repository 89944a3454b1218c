"""Files that are made to take memory or time without end: each is refused, or read within its bounds."""

from __future__ import annotations

import gzip
import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.data import rows
from auditor.data.rows import read_rows
from auditor.errors import AuditorError, ModelError, UsageError
from auditor.models.files.adapter import read_adapter
from auditor.models.files.chat_template import template_remarks
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.gguf.reader import read_gguf
from auditor.models.files.model_card import read_card
from auditor.models.files.patterns import values_of
from auditor.models.files.safetensors import read_header
from auditor.models.files.untrusted import read_json
from auditor.models.runtime.verified import verified
from auditor.policy import read_policy
from auditor.requests.scan import DataRequest
from probes.corpus.readers import CorpusError, open_table
from probes.corpus.readers import delimited as csv_files
from probes.trigger_file import TriggerError, read_triggers

SOON = 5.0
"""Seconds; what is refused here took minutes, or had no end."""
CATASTROPHIC = "(a+)+b"


def safetensors(path: Path, entries: object, body: bytes = b"") -> Path:
    head = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)
    return path


def lora(place: Path, **config: object) -> Path:
    """A LoRA adapter of rank 1 on two modules with names of thirty letters."""
    place.mkdir()
    names = [f"base_model.model.{'a' * 30}{m}.lora_{f}.weight" for m in "xy" for f in "AB"]
    entries = {n: {"dtype": "F32", "shape": [1, 1], "data_offsets": [4 * i, 4 * i + 4]} for i, n in enumerate(names)}
    safetensors(place / "adapter_model.safetensors", entries, struct.pack("<4f", 1, 1, 1, 1))
    (place / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 1, "lora_alpha": 2, **config}))
    return place


@pytest.fixture(autouse=True)
def _soon() -> object:
    began = time.process_time()
    yield
    assert time.process_time() - began < SOON


READS: dict[str, Callable[[Path], object]] = {
    "json": read_json,
    "header": read_header,
    "gguf": read_gguf,
    "hash": hash_file,
    "verified": lambda path: verified(path, ""),
    "policy": read_policy,
    "triggers": lambda path: read_triggers(str(path)),
    "table": open_table,
}


@pytest.mark.parametrize("what", READS)
def test_what_is_no_regular_file_is_refused(what: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    for path in (pipe, Path("/dev/zero"), tmp_path / "link.csv"):
        with pytest.raises((AuditorError, CorpusError, TriggerError)) as caught:
            READS[what](path)
        assert any(word in str(caught.value) for word in ("pipe", "device"))


def test_a_card_or_a_template_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("README.md", "chat_template.jinja"):
        os.mkfifo(tmp_path / name)
    assert read_card(tmp_path / "README.md") == {}
    assert template_remarks(tmp_path) == ()


def test_front_matter_is_found_without_going_back(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("---" + "\n" * 100_000 + " " * 100_000 + "x")
    assert read_card(card) == {}
    card.write_text("---\nlicense: mit\nmodel-index:\n" + "- a: b\n" * 50_000 + "base_model:\n- org/base\n---\ntext")
    assert read_card(card) == {"license": "mit", "base_model": ["org/base"]}


def test_references_within_front_matter_are_not_followed(tmp_path: Path) -> None:
    bomb = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'] * 9)}]" for n in range(30))
    card = tmp_path / "README.md"
    card.write_text(f"---\n{bomb}\nlicense: apache-2.0\nbase_model: &b [*b, *b]\ntags:\n  <<: [*a29, *a29]\n---\n")
    assert read_card(card) == {"license": "apache-2.0"}


def test_an_adapters_patterns_are_tried_for_some_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.models.files.patterns.SECONDS", 1.0)
    place = lora(tmp_path / "a", alpha_pattern={CATASTROPHIC: 4})
    with pytest.raises(ModelError, match="alpha_pattern take more than"):
        read_adapter(place)
    place = lora(tmp_path / "b", alpha_pattern={"x" * 2_000: 4})
    with pytest.raises(ModelError, match="of 2,000 characters"):
        read_adapter(place)


def test_patterns_mean_what_they_mean_to_peft(tmp_path: Path) -> None:
    place = lora(tmp_path / "a", alpha_pattern={".*x": 8, f"{'a' * 30}y": 16})
    scales = [factors.scale for factors in read_adapter(place).factors.values()]
    assert scales == [8.0, 16.0]
    modules = ["h.0.q", "h.1.q", "h.0.qq"]
    assert values_of(place, "alpha_pattern", {"q": 1, "h.1.qq": 2}, modules) == {"h.0.q": 1, "h.1.q": 1}
    assert values_of(place, "alpha_pattern", {"(": 3, "h.[01].q": 1, "q+": 2}, modules) == {
        "h.0.q": 1, "h.1.q": 1, "h.0.qq": 2,
    }  # fmt: skip


@pytest.mark.parametrize("shape", [[2**62] * 3_000, [9] * 100_000, [10**4_000], [2**63]])
def test_shapes_that_multiply_without_end(shape: list[int], tmp_path: Path) -> None:
    path = safetensors(tmp_path / "model.safetensors", {"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}})
    with pytest.raises(ModelError, match="is damaged"):
        read_header(path)


def test_nested_and_endless_json(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for content in ('{"a": ' + "[" * 100_000, '{"a": [' + "[]," * 5_000_000 + "[]]}", '{"a": ' + "9" * 10_000 + "}"):
        path.write_text(content)
        with pytest.raises(ModelError, match="damaged"):
            read_json(path)


def test_toml_that_takes_a_time_that_grows_with_its_square(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    for content in ("a." * 50_000 + "a = 1\n", "a = " + "[" * 50_000, "#" * 5_000_000):
        path.write_text(content)
        with pytest.raises(UsageError):
            read_policy(path)


def test_a_field_or_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"text": "' + b"x" * 17_000_000 + b'"}\n'
    for name, content in (("a.jsonl", line), ("a.csv", b"text\n" + line[11:-3]), ("a.txt", line)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=r"longer than|a text of 17,000,000"):
            read_rows(DataRequest(str(tmp_path / name)), ("a", "b"))
    monkeypatch.setattr(csv_files, "ROW_LIMIT", 10_000)
    (tmp_path / "b.csv").write_text("text,label\n" + '"a\nb",' * 5_000)
    with pytest.raises(UsageError, match="row from line 2: longer than"):
        read_rows(DataRequest(str(tmp_path / "b.csv")), ("a", "b"))


def test_a_file_that_swells_when_it_is_decompressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.corpus.readers.source.UNPACKED_LEAST", 100_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\n" + b"the same\n" * 50_000, mtime=0))
    with pytest.raises(UsageError, match="times as long"):
        read_rows(DataRequest(str(tmp_path / "a.csv.gz")), ("a", "b"))


def test_a_pipe_that_nobody_writes_into_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "WRITER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "rows.csv")
    with pytest.raises(UsageError, match="nobody writes into"):
        read_rows(DataRequest(str(tmp_path / "rows.csv")), ("a", "b"))
