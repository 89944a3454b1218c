"""A hub of the tests' own: a local server answers the few addresses that the hub's library asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "org/tiny"


@dataclass
class Server:
    """A hub with one repository, what was asked of it, and how it refuses.

    Of the file that is `held` half is sent; the rest waits for the release.
    """

    files: dict[str, bytes]
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    refuse: tuple[int, dict[str, str]] | None = None
    gated_files: bool = False
    held: str | None = None
    release: threading.Event = field(default_factory=threading.Event)


def serve(server: Server) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def reply(self, status: int, body: bytes = b"", held: bool = False, **headers: str) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command == "HEAD":
                return
            half = len(body) // 2 if held else 0
            with suppress(ConnectionError):
                self.wfile.write(body[:half])
                if held:
                    server.release.wait()
                self.wfile.write(body[half:])

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            server.asked.append(unquote(self.path))
            if server.refuse:
                self.reply(server.refuse[0], b"{}", **server.refuse[1])
            elif path == "/api/models":
                self.reply(200, json.dumps([model(server)]).encode(), Content_Type="application/json")
            elif path in {f"/api/models/{NAME}", *(f"/api/models/{NAME}/revision/{r}" for r in ("main", "v1", COMMIT))}:
                self.reply(200, json.dumps(model(server)).encode(), Content_Type="application/json")
            elif path.startswith(f"/api/models/{NAME}/revision/"):
                self.reply(404, b"{}", X_Error_Code="RevisionNotFound")
            elif path == f"/api/models/{NAME}/tree/{COMMIT}":
                tree = [{"type": "file", "path": n, "size": len(c), "oid": oid(c)} for n, c in server.files.items()]
                self.reply(200, json.dumps(tree).encode(), Content_Type="application/json")
            elif path.startswith(f"/{NAME}/resolve/") and (file := path.split("/", 5)[5]) in server.files:
                if server.gated_files:
                    self.reply(403, b"{}", X_Error_Code="GatedRepo")
                    return
                body = server.files[file]
                self.reply(200, body, file == server.held, ETag=f'"{oid(body)}"', X_Repo_Commit=COMMIT)
            else:
                self.reply(404, b"{}", X_Error_Code="RepoNotFound")

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def model(server: Server) -> dict[str, Any]:
    return {
        "id": NAME, "modelId": NAME, "sha": COMMIT, "private": False,
        "gated": "manual" if server.gated_files else False, "downloads": 42, "likes": 1,
        "tags": ["safetensors", "base_model:finetune:org/base", "base_model:org/base"],
        "pipeline_tag": "text-classification", "lastModified": "2025-01-02T03:04:05.000Z",
        "cardData": {"license": "apache-2.0"},
        "siblings": [{"rfilename": n, "size": len(c), "blobId": oid(c)} for n, c in server.files.items()],
    }  # fmt: skip


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Runs the hub at an address of its own."""
    http = serve(server)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.endpoint = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        server.release.set()
        http.shutdown()
        http.server_close()
        thread.join()
