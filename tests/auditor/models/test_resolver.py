"""The models of a command: found, and each weight file hashed once however often a model is asked for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.events import Event
from auditor.models.files import fingerprint
from auditor.models.resolver import Resolver
from auditor.policy import Policy
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from store.catalog import Catalog
from store.engine import open_catalog

Hashed = Counter[str]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    """Counts how often each weight file is hashed whole."""
    counted: Hashed = Counter()
    real = fingerprint.hash_file

    def counting(path: Path) -> str:
        if path.suffix == ".safetensors":
            counted[str(path.resolve())] += 1
        return real(path)

    monkeypatch.setattr(fingerprint, "hash_file", counting)
    return counted


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


def scan_of(zoo: Any, **changes: Any) -> ScanRequest:
    given: dict[str, Any] = {"families": ("badnet",), "samples": 120, "references": (str(zoo.partner),), **changes}
    return ScanRequest(str(zoo.planted), DataRequest(str(zoo.data)), **given)


COMMANDS: dict[str, Callable[[Session, Any, Path], Iterator[Event]]] = {
    "scan": lambda session, zoo, _: session.scan(scan_of(zoo)),
    "audit, and search": lambda session, zoo, place: session.audit(
        scan_of(zoo), MergeRequest((str(zoo.benign),), output=place, search=Budget(2), rescan=("badnet",))
    ),
    "merge by measuring": lambda session, zoo, place: session.merge(
        str(zoo.planted), MergeRequest((str(zoo.benign),), "fisher", output=place, texts=str(zoo.bare))
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_weight_file_is_hashed_once_a_command(
    zoo: Any, tmp_path: Path, catalog: Catalog, hashed: Hashed, command: str
) -> None:
    session = Session(Settings("", device="cpu"), catalog, Policy(minimum_rows=50))
    # They are trained where no test has wanted them yet.
    models = [zoo.planted, zoo.partner, zoo.benign]
    hashed.clear()
    assert list(COMMANDS[command](session, zoo, tmp_path / "merged"))
    assert hashed[str(models[0] / "model.safetensors")] == 1
    assert set(hashed.values()) == {1}, hashed


def test_a_file_that_changes_meanwhile_is_hashed_anew(
    zoo: Any, tmp_path: Path, catalog: Catalog, hashed: Hashed
) -> None:
    model = zoo.copy(zoo.benign, tmp_path / "model")
    resolver = Resolver(catalog)
    first = resolver.profile(str(model))
    assert resolver.profile(f"path:{model}").ref.digest == first.ref.digest
    assert set(hashed.values()) == {1}
    weights = model / "model.safetensors"
    stands = weights.stat()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    # As long, and as old as before to whoever asks for no more than that.
    os.utime(weights, ns=(stands.st_atime_ns, stands.st_mtime_ns))
    assert resolver.profile(str(model)).ref.digest != first.ref.digest
    (model / "config.json").unlink()
    with pytest.raises(UsageError, match="holds no model"):
        resolver.profile(str(model))
