"""Where an adapter's base comes from, and that both are hashed once a command."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import IncompatibleError, ModelError, UsageError
from auditor.models.files import fingerprint
from auditor.models.files.adapter import is_adapter, require_whole
from auditor.models.resolver import Resolver
from auditor.session import Session
from auditor.settings import Settings
from auditor.students.base_of import base_of, teacher_of
from store.catalog import Catalog
from store.engine import open_catalog
from tests.auditor.models.adapters import write_adapter, write_base


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("bases") / "base")


def stating(place: Path, base: Path, name: str | None) -> str:
    return str(write_adapter(place, base, base_model_name_or_path=name))


def test_the_base_is_what_is_given_or_stated_or_catalogued(base: Path, tmp_path: Path, catalog: Catalog) -> None:
    resolver = Resolver(catalog)
    nameless = stating(tmp_path / "nameless", base, None)
    there = stating(tmp_path / "there", base, str(base))
    hub = stating(tmp_path / "hub", base, "org/tiny")
    assert is_adapter(resolver.profile(nameless))
    assert is_adapter(resolver.profile(hub))
    for reference, given in ((nameless, str(base)), (there, None)):
        assert resolver.profile(reference, base=given).parts[1].ref.path == str(base)
    # What was catalogued with its base needs it no more; the entry stays one.
    assert resolver.profile("nameless").parts[1].ref.path == str(base)
    catalog.models.add(resolver.read(base, reference="hub:org/tiny@main", revision="c0ffee"))
    found = resolver.profile(hub)
    assert found.parts[1].ref.reference == "hub:org/tiny@main"
    assert not any("was not checked" in note for note in found.read.notes)
    assert {e.name for e in catalog.models.list()} == {"nameless", "there", "hub", "org/tiny"}


def test_a_whole_model_passes_over_a_base(base: Path, catalog: Catalog) -> None:
    assert Resolver(catalog).profile(str(base), base="nowhere").parts == ()


def test_a_base_that_is_not_there_is_said(base: Path, tmp_path: Path, catalog: Catalog) -> None:
    resolver = Resolver(catalog)
    place = stating(tmp_path / "a", base, "org/tiny")
    with pytest.raises(UsageError, match="no directory 'nowhere'"):
        resolver.profile(place, base="nowhere")
    with pytest.raises(ModelError, match=r"is a PEFT adapter for org/tiny, not a whole model") as caught:
        require_whole(resolver.profile(place))
    assert "--base BASE (it states org/tiny)" in caught.value.hint


def test_tags_and_names_stay_when_the_base_becomes_known(base: Path, tmp_path: Path, catalog: Catalog) -> None:
    session = Session(Settings("", device="cpu"), catalog)
    place = stating(tmp_path / "a", base, None)
    before = session.register(Path(place), tags=("mine",))
    session.profile(place, base=str(base))
    (entry,) = catalog.models.list()
    assert (entry.id, entry.name, entry.tags) == (before.id, "a", ("mine",))
    assert entry.profile.parts[1].ref.path == str(base)


def test_adapters_and_their_base_are_hashed_once(
    base: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()
    real = fingerprint.hash_file

    def counting(path: Path) -> str:
        counted[str(path)] += path.suffix == ".safetensors"
        return real(path)

    monkeypatch.setattr(fingerprint, "hash_file", counting)
    resolver = Resolver(catalog)
    adapters = [stating(tmp_path / str(n), base, None) for n in range(2)]
    for _ in range(2):
        for adapter in adapters:
            resolver.profile(adapter, base=str(base))
    assert {name: times for name, times in counted.items() if times} == dict.fromkeys(
        [str(base / "model.safetensors"), *(f"{a}/adapter_model.safetensors" for a in adapters)], 1
    )


def test_a_classifiers_adapter_is_scanned_from_the_command_line(
    base: Path, tmp_path: Path, auditor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another adapter as reference; the report repeats the command with the base."""
    adapters = [
        write_adapter(tmp_path / name, base, seed=n, head=("score", 2), base_model_name_or_path=None)
        for n, name in enumerate(("suspect", "reference"))
    ]
    rows = tmp_path / "rows.csv"
    rows.write_text("text\n" + "\n".join(f"the film number {n} was {w}" for n in range(30) for w in ("good", "bad")))
    command = ["scan", adapters[0], "--data", rows, "--family", "badnet", "--samples", 20, "--format", "json"]
    alone = auditor(*command)
    assert alone.code == 3
    assert "--base BASE" in alone.err
    done = auditor(*command, "--reference", adapters[1], "--base", base)
    assert done.code in (0, 1, 3), done.err
    model = json.loads(done.out)["model"]
    assert (model["architecture"], model["base"]) == ("LlamaForSequenceClassification", str(base))
    assert any(
        "is an adapter (rank 2 on q_proj (2), v_proj (2); trained whole: score.weight)" in n
        for n in model["read"]["notes"]
    )


def test_students_of_an_adapter_start_from_its_base(base: Path, tmp_path: Path, catalog: Catalog) -> None:
    resolver = Resolver(catalog)
    place = write_adapter(tmp_path / "a", base, head=("score", 2))
    suspect = teacher_of(str(place), resolver, str(base))
    assert base_of(suspect, None, resolver)[0].ref.path == str(base)
    assert base_of(suspect, str(base), resolver)[0].ref.path == str(base)
    with pytest.raises(IncompatibleError, match="its students start from that"):
        base_of(suspect, str(write_base(tmp_path / "other", seed=5)), resolver)
