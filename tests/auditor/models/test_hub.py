"""The hub, spoken to over HTTP: a local server takes its place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from auditor.errors import AuditorError, FetchError, ModelError, UsageError
from auditor.models.files.profile import read_profile
from auditor.models.hub import Hub, wanted
from auditor.models.reference import resolve
from tests.hub import COMMIT, NAME, Server, serving


@pytest.fixture
def server(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {p.name: p.read_bytes() for p in made.iterdir()}
    extra = {"README.md": b"# Tiny", "pytorch_model.bin": b"pickle", "modeling.py": b"code", "onnx/config.json": b"{}"}
    with serving(Server({**files, **extra, "fp16/model.safetensors": b"variant"})) as state:
        yield state


def test_fetch_brings_what_is_safe_and_nothing_else(
    made: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    path, commit = Hub(server.endpoint).fetch(NAME, "v1")
    assert commit == COMMIT
    assert {p.name for p in Path(path).iterdir()} == {*(p.name for p in made.iterdir()), "README.md"}
    assert not [a for a in server.asked if ".bin" in a or ".py" in a or "onnx" in a or "fp16" in a]
    assert capfd.readouterr() == ("", "")
    profile = read_profile(path, reference=NAME, revision=commit)
    assert profile.ref.digest == read_profile(made).ref.digest


def test_resolve_through_the_hub(server: Server) -> None:
    profile = resolve(f"{NAME}@v1", catalogued=lambda _: None, fetch=Hub(server.endpoint).fetch)
    assert (profile.ref.reference, profile.ref.revision) == (f"{NAME}@v1", COMMIT)


def test_the_cache_serves_when_the_hub_is_away(server: Server) -> None:
    hub = Hub(server.endpoint)
    path, _ = hub.fetch(NAME)
    server.refuse = (503, {})
    assert hub.fetch(NAME) == (path, COMMIT)
    (Path(path) / "model.safetensors").unlink()
    with pytest.raises(FetchError, match=r"lacks model\.safetensors"):
        hub.fetch(NAME)


def test_info_and_search(made: Path, server: Server) -> None:
    hub = Hub(server.endpoint)
    info = hub.info(NAME)
    assert info.size == sum(p.stat().st_size for p in made.iterdir()) + len(b"# Tiny")
    assert (info.name, info.commit, info.licence, info.gated) == (NAME, COMMIT, "apache-2.0", False)
    assert (info.base_model, info.pipeline_tag, info.downloads) == ("org/base", "text-classification", 42)
    assert info.last_modified == "2025-01-02T03:04:05+00:00"
    assert hub.search("tiny", "text-classification", 5, base_model="org/base") == [info]
    asked = parse_qs(urlsplit(server.asked[-1]).query)
    assert (asked["search"], asked["pipeline_tag"], asked["limit"]) == (["tiny"], ["text-classification"], ["5"])
    assert {"safetensors", "base_model:org/base"} <= set(asked["filter"])


@pytest.mark.parametrize(
    ("refuse", "kind", "says"),
    [
        ((401, {"X_Error_Code": "RepoNotFound"}), UsageError, "no repository org/tiny"),
        ((404, {"X_Error_Code": "RepoNotFound"}), UsageError, "no repository org/tiny"),
        ((403, {"X_Error_Code": "GatedRepo"}), FetchError, "gated"),
        ((403, {}), FetchError, "403"),
        ((418, {}), FetchError, "418"),
    ],
)
def test_refusals(server: Server, refuse: tuple[int, dict[str, str]], kind: type[AuditorError], says: str) -> None:
    server.refuse = refuse
    for ask in (Hub(server.endpoint).info, Hub(server.endpoint).fetch):
        with pytest.raises(kind, match=says) as caught:
            ask(NAME)
        assert caught.value.hint


def test_other_refusals(server: Server) -> None:
    hub = Hub(server.endpoint)
    with pytest.raises(UsageError, match="no revision 'v9'"):
        hub.fetch(NAME, "v9")
    with pytest.raises(UsageError, match="no name on the hub"):
        hub.fetch("a/b/c")
    server.gated_files = True
    assert hub.info(NAME).gated
    with pytest.raises(FetchError, match="gated") as caught:
        hub.fetch(NAME)
    assert f"{server.endpoint}/{NAME}" in caught.value.hint


def test_nobody_there() -> None:
    with pytest.raises(FetchError, match=r"could not be fetched from http://127\.0\.0\.1:9") as caught:
        Hub("http://127.0.0.1:9").info(NAME)
    assert "connection" in caught.value.hint


def test_pickles_alone_are_refused_before_a_byte_is_fetched(server: Server) -> None:
    server.files = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin"):
        Hub(server.endpoint).fetch(NAME)
    assert not [a for a in server.asked if "/resolve/" in a]


def test_offline_is_obeyed(server: Server, tmp_path: Path) -> None:
    Hub(server.endpoint).fetch(NAME)
    before = len(server.asked)
    code = (
        "from auditor.models.hub import Hub\nfrom auditor.errors import FetchError\nhub = Hub()\n"
        f"print(hub.fetch({NAME!r})[1])\n"
        "for ask in (hub.fetch, hub.info):\n    try: ask('org/other')\n    except FetchError as e: print(e.message)\n"
    )
    settings = {"HF_ENDPOINT": server.endpoint, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    commit, fetch, info = done.stdout.splitlines()
    assert commit == COMMIT
    assert "HF_HUB_OFFLINE" in fetch
    assert "HF_HUB_OFFLINE" in info
    assert done.stderr == ""
    assert len(server.asked) == before


def test_wanted_of_a_sharded_repository() -> None:
    index, shards = "model.safetensors.index.json", [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    other = ["onnx/model-00001-of-00002.safetensors", "pytorch_model-00001-of-00002.bin", "train.py", "data.csv"]
    assert wanted([index, *shards, *other, "config.json"]) == sorted([index, *shards, "config.json"])
