"""Datasets from a hub: a small server speaks the few endpoints that are needed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import HfApi, constants

from auditor.data.hub import fetch_dataset, parse_spec
from auditor.errors import ExitCode, FetchError, UsageError
from probes.corpus import read_corpus

CONVERTED = "refs/convert/parquet"
LINES = '{"text": "good", "label": 1}\n{"text": "bad", "label": 0}\n'
Files = dict[str, dict[str, str]]


class Hub(ThreadingHTTPServer):
    """Repositories by name: revision → path → content. `gated` names are refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repos: dict[str, Files] = {}
        self.gated: set[str] = set()
        self.served: list[str] = []

    def commit(self, name: str, revision: str) -> str:
        return hashlib.sha1(f"{name} {revision}".encode()).hexdigest()


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, b"{}", {"X-Error-Code": code})

    def reply(self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content)

    def answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/api/datasets/"):
            name, _, revision = path.removeprefix("/api/datasets/").partition("/revision/")
            return self.information(unquote(name), unquote(revision) or "main")
        name, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
        commit, _, file = rest.partition("/")
        for revision, files in self.server.repos.get(name, {}).items():
            if commit == self.server.commit(name, revision) and unquote(file) in files:
                content = files[unquote(file)].encode()
                if body:
                    self.server.served.append(unquote(file))
                etag = hashlib.sha256(content).hexdigest()
                return self.reply(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, body=body)
        return self.refuse(404, "EntryNotFound")

    def information(self, name: str, revision: str) -> None:
        if name in self.server.gated:
            return self.refuse(403, "GatedRepo")
        if name not in self.server.repos:
            return self.refuse(404, "RepoNotFound")
        files = self.server.repos[name].get(revision)
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        siblings = [{"rfilename": file} for file in files]
        found = {
            "id": name,
            "sha": self.server.commit(name, revision),
            "siblings": siblings,
            "tags": [],
            "private": False,
        }
        return self.reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(hub: Hub, spec: str) -> Path:
    return fetch_dataset(spec, HfApi(endpoint=f"http://127.0.0.1:{hub.server_address[1]}", token=False))


@pytest.fixture
def pyarrow_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.data.hub.can_read_parquet", lambda: True)


@pytest.fixture
def pyarrow_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.data.hub.can_read_parquet", lambda: False)


@pytest.mark.parametrize(
    ("spec", "readings", "split"),
    [
        ("hub:sst2", (("sst2", None),), None),
        ("hub:sst2:dev", (("sst2", None),), "dev"),
        ("hub:glue/sst2", (("glue/sst2", None), ("glue", "sst2")), None),
        ("hub:org/name/en-US:test", (("org/name", "en-US"),), "test"),
    ],
)
def test_specs(spec: str, readings: tuple[tuple[str, str | None], ...], split: str | None) -> None:
    parsed = parse_spec(spec)
    assert (parsed.readings, parsed.split) == (readings, split)


@pytest.mark.parametrize("spec", ["hub:", "hub:a/b/c/d", "hub:a:", "hub:../x", "hub:a//b", "hub:a:b:c", "hub:/etc/x"])
def test_malformed_specs(spec: str) -> None:
    with pytest.raises(UsageError, match="names no dataset"):
        parse_spec(spec)


def test_text_files_of_the_main_branch(hub: Hub) -> None:
    hub.repos["org/mood"] = {
        "main": {"README.md": "", "mood.py": "raise SystemExit", "data/train.jsonl": "{}", "data/test.jsonl": LINES}
    }
    path = fetch(hub, "hub:org/mood")
    corpus = read_corpus(path, labels=("negative", "positive"))
    assert [(row.text, row.label) for row in corpus.rows] == [("good", 1), ("bad", 0)]
    assert set(hub.served) == {"data/test.jsonl"}, "only the split is fetched, and never a script"
    assert fetch(hub, "hub:org/mood:train").name == "train.jsonl"


def test_a_single_file_needs_no_split_name(hub: Hub) -> None:
    hub.repos["mood"] = {"main": {"reviews.csv": "text\ngood\n"}}
    assert fetch(hub, "hub:mood").read_text() == "text\ngood\n"


def test_an_unnamed_split_is_test_else_validation_else_train(hub: Hub) -> None:
    files = {"train-00000-of-00001.csv": "a", "mood_dev.csv": "b"}
    hub.repos["o/m"] = {"main": files}
    assert fetch(hub, "hub:o/m").read_text() == "b"
    assert fetch(hub, "hub:o/m:validation").read_text() == "b"
    hub.repos["o/n"] = {"main": {**files, "test/part.csv": "c"}}
    assert fetch(hub, "hub:o/n").read_text() == "c"


@pytest.mark.usefixtures("pyarrow_there")
def test_converted_parquet_comes_first(hub: Hub) -> None:
    hub.repos["o/m"] = {
        "main": {"test.csv": "text"},
        CONVERTED: {
            "default/test/0000.parquet": "T",
            "default/partial-train/0000.parquet": "P",
            "other/test/0000.parquet": "O",
        },
    }
    assert fetch(hub, "hub:o/m").read_text() == "T"
    assert fetch(hub, "hub:o/m:train").read_text() == "P"
    assert fetch(hub, "hub:o/m/other").read_text() == "O"


@pytest.mark.usefixtures("pyarrow_there")
def test_all_parts_of_a_split_are_fetched(hub: Hub) -> None:
    parts = {f"default/train/000{i}.parquet": str(i) for i in range(3)}
    hub.repos["o/m"] = {"main": {}, CONVERTED: {**parts, "default/test/0000.parquet": "t"}}
    folder = fetch(hub, "hub:o/m:train")
    assert sorted(path.name for path in folder.iterdir()) == ["0000.parquet", "0001.parquet", "0002.parquet"]


@pytest.mark.usefixtures("pyarrow_there")
def test_two_words_can_be_a_name_and_a_configuration(hub: Hub) -> None:
    hub.repos["glue"] = {"main": {}, CONVERTED: {"sst2/test/0000.parquet": "S", "qnli/test/0000.parquet": "Q"}}
    assert fetch(hub, "hub:glue/qnli").read_text() == "Q"
    with pytest.raises(UsageError, match="several configurations: qnli, sst2"):
        fetch(hub, "hub:glue")
    with pytest.raises(UsageError, match="no configuration 'cola'; known: qnli, sst2"):
        fetch(hub, "hub:glue/cola")
    with pytest.raises(UsageError, match="no split 'dev'; known: test"):
        fetch(hub, "hub:glue/qnli:dev")


@pytest.mark.usefixtures("pyarrow_missing")
def test_without_pyarrow_text_is_taken_and_parquet_refused_before_the_download(hub: Hub) -> None:
    converted = {"default/test/0000.parquet": "T"}
    hub.repos["o/m"] = {"main": {"test.csv": "text"}, CONVERTED: converted}
    assert fetch(hub, "hub:o/m").read_text() == "text"
    hub.repos["o/n"] = {"main": {"data/test-00000-of-00001.parquet": "T"}, CONVERTED: converted}
    hub.served.clear()
    with pytest.raises(UsageError) as caught:
        fetch(hub, "hub:o/n")
    assert caught.value.hint == "Install it with: pip install 'auditor[parquet]'"
    assert hub.served == []


def test_configurations_are_directories_on_the_main_branch(hub: Hub) -> None:
    hub.repos["o/m"] = {"main": {"en/test.csv": "E", "de/test.csv": "D"}}
    assert fetch(hub, "hub:o/m/de").read_text() == "D"
    with pytest.raises(UsageError, match=r"several files could be split 'test': de/test.csv, en/test.csv"):
        fetch(hub, "hub:o/m")


def test_what_is_not_there(hub: Hub) -> None:
    with pytest.raises(UsageError, match="no dataset 'o/none'"):
        fetch(hub, "hub:o/none")
    hub.repos["o/m"] = {"main": {"README.md": "", "load.py": ""}}
    with pytest.raises(UsageError, match="no data file that can be read"):
        fetch(hub, "hub:o/m")


def test_a_gated_dataset(hub: Hub) -> None:
    hub.gated.add("o/m")
    with pytest.raises(FetchError, match="gated") as caught:
        fetch(hub, "hub:o/m")
    assert caught.value.code == ExitCode.INCOMPLETE


def test_a_hub_that_does_not_answer() -> None:
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        fetch_dataset("hub:o/m", HfApi(endpoint="http://127.0.0.1:9", token=False))
    assert "--data" in caught.value.hint


def test_pyarrow_is_looked_for_without_loading_it() -> None:
    from auditor.data.hub import can_read_parquet

    assert can_read_parquet() is (importlib.util.find_spec("pyarrow") is not None)


def test_shards_of_the_main_branch_are_one_file(hub: Hub) -> None:
    shards = {f"data/test-0000{i}-of-00002.csv": f"text,label\nrow {i},{i}\n" for i in range(2)}
    hub.repos["o/m"] = {"main": {**shards, "data/train-00000-of-00001.csv": "text,label\nno,0\n", "LICENSE.txt": "x"}}
    corpus = read_corpus(fetch(hub, "hub:o/m"), labels=("negative", "positive"))
    assert [(row.text, row.label) for row in corpus.rows] == [("row 0", 0), ("row 1", 1)]
    assert "2 parts" in corpus.format
    assert fetch(hub, "hub:o/m:train").name == "train-00000-of-00001.csv"
    assert len(read_corpus(fetch(hub, "hub:o/m:test"), labels=("negative", "positive")).rows) == 2


def test_compressed_files_count_as_what_they_hold(hub: Hub) -> None:
    hub.repos["o/m"] = {"main": {"train.csv.gz": "z", "test.jsonl": LINES}}
    assert fetch(hub, "hub:o/m:train").name == "train.csv.gz"
    assert fetch(hub, "hub:o/m").name == "test.jsonl"
