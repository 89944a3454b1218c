"""Partners from the hub, over HTTP: a local server answers what the hub would, and notes what was asked of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from auditor.errors import FetchError, UsageError
from auditor.models.hub import Hub
from auditor.partners.hub import search_offers
from store.records import Profile
from tests.conftest import Auditor

BASE = "org/base"


@dataclass
class Mirror:
    """Repositories by name, and the addresses that were asked for. `broken` answers everything with that."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""
    broken: tuple[int, bytes] | None = None

    def add(self, name: str, **changes: Any) -> str:
        """A repository that fits, but for the changes; returns its commit."""
        commit = f"{len(self.models) + 1:040x}"
        sha = changes.pop("sha256", f"{len(self.models):064x}")
        weights = {
            "rfilename": "model.safetensors",
            "size": 4_000_000,
            "lfs": {"size": 4_000_000, "sha256": sha, "pointerSize": 1},
        }
        self.models[name] = {
            "id": name, "sha": commit, "gated": False, "downloads": 10, "pipeline_tag": "text-classification",
            "tags": ["safetensors", f"base_model:{BASE}"], "lastModified": "2025-01-02T03:04:05.000Z",
            "cardData": {"license": "mit", "base_model": BASE},
            "config": {"architectures": ["BertForSequenceClassification"], "model_type": "bert"},
            "siblings": [{"rfilename": "config.json", "size": 500}, weights, {"rfilename": "x.bin", "size": 9}],
            **changes,
        }  # fmt: skip
        return commit


def serve(mirror: Mirror) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            mirror.asked.append(unquote(self.path))
            name = unquote(address.path).removeprefix("/api/models").strip("/").partition("/revision/")[0]
            error = {}
            if mirror.broken:
                status, body = mirror.broken
            elif not name:
                limit = int(parse_qs(address.query)["limit"][0])
                # Sizes and hashes are not in a list.
                listed = [
                    {**m, "siblings": [{"rfilename": s["rfilename"]} for s in m["siblings"]]}
                    for m in sorted(mirror.models.values(), key=lambda m: -m["downloads"])
                ]
                status, body = 200, json.dumps(listed[:limit]).encode()
            elif name in mirror.models and mirror.models[name]["gated"]:
                status, body, error = 403, b"{}", {"X-Error-Code": "GatedRepo"}
            elif name in mirror.models:
                status, body = 200, json.dumps(mirror.models[name]).encode()
            else:
                status, body, error = 404, b"{}", {"X-Error-Code": "RepoNotFound"}
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **error}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()
    http = serve(state)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.endpoint = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def suspect(make: Callable[..., Profile]) -> Profile:
    found = make("suspect")
    (Path(found.ref.path) / "README.md").write_text(f"---\nbase_model: {BASE}\ndatasets: [sst2]\n---\n", "utf-8")
    return replace(found, base=BASE, licence="mit")


def test_what_the_hub_offers_and_why_not(mirror: Mirror, suspect: Profile) -> None:
    commit = mirror.add("org/fit", downloads=5_000)
    mirror.add(
        "org/popular", downloads=9_000, cardData={"license": "gpl-3.0", "base_model": BASE, "datasets": ["SST2"]}
    )
    mirror.add("org/gated", gated="manual")
    mirror.add("org/roberta", config={"architectures": ["RobertaForSequenceClassification"], "model_type": "roberta"})
    mirror.add(
        "org/adapter", siblings=[{"rfilename": "adapter_config.json"}, {"rfilename": "adapter_model.safetensors"}]
    )
    mirror.add("org/again", sha256=suspect.files["model.safetensors"], downloads=100_000)
    mirror.add("org/large", safetensors={"parameters": {"F32": 1}, "total": 10 * suspect.parameters})
    offers = search_offers(suspect, Hub(mirror.endpoint))
    found = {o.info.name: o for o in offers.found}
    assert [o.info.name for o in offers.found[:2]] == ["org/fit", "org/popular"]
    assert {n for n, o in found.items() if not o.ok} == {"org/roberta", "org/adapter", "org/again"}
    fit = found["org/fit"]
    assert (fit.reference, fit.info.size, fit.info.licence) == (f"org/fit@{commit}", 4_000_500, "mit")
    assert f"made from the same base ({BASE})" in fit.reasons
    words = {
        "org/popular": "bound by both", "org/gated": "gated", "org/roberta": "is a RobertaForSequenceClassification",
        "org/adapter": "an adapter", "org/again": "byte by byte", "org/large": "its shapes may differ",
    }  # fmt: skip
    for name, text in words.items():
        assert any(text in word for word in (*found[name].reasons, *found[name].blockers)), name
    assert any("same data as the suspect (SST2)" in word for word in found["org/popular"].reasons)
    query = next(q for q in (parse_qs(urlsplit(a).query) for a in mirror.asked) if "filter" in q)
    assert {"safetensors", f"base_model:{BASE}"} <= set(query["filter"])
    assert query["pipeline_tag"] == ["text-classification"]
    # Only what the hub tells was asked for: no file of any repository.
    assert all(a.startswith("/api/models") for a in mirror.asked)


def test_the_suspects_own_repository_and_what_grew_from_it(mirror: Mirror, suspect: Profile) -> None:
    mirror.add("org/suspect")
    mirror.add("org/grown", cardData={"base_model": [BASE, "org/suspect"]})
    commit = mirror.add("org/known")
    own = replace(suspect, ref=replace(suspect.ref, reference="org/suspect@v1", revision="c"))
    found = {o.info.name: o for o in search_offers(own, Hub(mirror.endpoint), known={commit}).found}
    assert "own repository" in found["org/suspect"].blockers[0]
    assert "made from the suspect" in found["org/grown"].blockers[0]
    assert any("in the catalog already" in word for word in found["org/known"].reasons)


def test_limit_and_base(mirror: Mirror, suspect: Profile) -> None:
    for i in range(5):
        mirror.add(f"org/m{i}", downloads=i)
    mirror.add("google-bert/bert-base-uncased", downloads=0)
    mirror.models["bert-base-uncased"] = mirror.models["google-bert/bert-base-uncased"]
    offers = search_offers(suspect, Hub(mirror.endpoint), base="bert-base-uncased", limit=2)
    assert offers.base == "google-bert/bert-base-uncased"
    assert [o.info.name for o in offers.found] == ["org/m4", "org/m3"]
    assert search_offers(suspect, Hub(mirror.endpoint), base="unknown", limit=1).base == "unknown"
    with pytest.raises(UsageError, match="does not state its base") as caught:
        search_offers(replace(suspect, base=None), Hub(mirror.endpoint))
    assert "--base" in caught.value.hint


@pytest.mark.parametrize("broken", [(500, b"{}"), (403, b"{}"), (200, b"<html>"), (200, b'[{"no": "id"}]')])
def test_a_hub_that_fails_is_said(mirror: Mirror, suspect: Profile, broken: tuple[int, bytes]) -> None:
    mirror.broken = broken
    with pytest.raises(FetchError) as caught:
        search_offers(suspect, Hub(mirror.endpoint))
    assert mirror.endpoint in caught.value.message


def command(endpoint: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "HF_ENDPOINT": endpoint,
        "AUDITOR_CATALOG": f"sqlite:///{tmp_path / 'catalog.db'}",
        "HF_HOME": str(tmp_path),
    }
    run = [sys.executable, "-m", "auditor", "partners", *arguments]
    return subprocess.run(run, env={**os.environ, **settings}, capture_output=True, text=True, check=False)


def test_the_command(
    mirror: Mirror, suspect: Profile, tmp_path: Path, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = mirror.add("org/fit", downloads=5_000)
    mirror.add("org/open", cardData={"base_model": BASE})
    path = suspect.ref.path
    text = command(mirror.endpoint, tmp_path, path, "--hub")
    assert text.returncode == 0, text.stderr
    assert "+ org/fit  4.0 MB  mit  open  5,000 downloads" in text.stdout
    assert f"auditor models pull org/fit@{commit}" in text.stdout
    assert "no licence stated" in text.stdout
    assert "nothing was fetched" in text.stdout
    # The library reads the environment when it is imported: here that was before this test.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", mirror.endpoint)
    document = auditor("partners", path, "--hub", "--limit", "1", "--format", "json").json
    assert document["schema"] == "auditor/partners/1"
    assert document["partners"][0]["blockers"]
    (offer,) = document["hub"]["found"]
    assert (offer["reference"], offer["size"], offer["ok"]) == (f"org/fit@{commit}", 4_000_500, True)
    assert offer["command"] == f"auditor models pull org/fit@{commit}"
    assert not [a for a in mirror.asked if "/resolve/" in a]
    alone = auditor("partners", path, "--format", "json")
    assert alone.code == 1
    assert "hub" not in alone.json


def test_the_command_without_a_hub(suspect: Profile, tmp_path: Path, auditor: Auditor) -> None:
    away = command("http://127.0.0.1:9", tmp_path, suspect.ref.path, "--hub")
    assert away.returncode == 3
    assert "127.0.0.1:9" in away.stderr
    assert "Traceback" not in away.stderr
    assert auditor("partners", suspect.ref.path, "--base", "x").code == 2
