"""References: a path wins over a hub name, prefixes force, and a name that leads nowhere says what was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import ExitCode, FetchError, ModelError, UsageError
from auditor.models.reference import Kind, Reference, parse, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def nothing(name: str) -> None:
    return None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("org/name", Reference(Kind.HUB, "org/name")),
        ("org/name@v1.0", Reference(Kind.HUB, "org/name", "v1.0")),
        ("org/name@refs/pr/3", Reference(Kind.HUB, "org/name", "refs/pr/3")),
        ("hub:gpt2", Reference(Kind.HUB, "gpt2", forced=True)),
        ("hub:org/name@abc", Reference(Kind.HUB, "org/name", "abc", True)),
        ("path:org/name", Reference(Kind.PATH, "org/name", forced=True)),
        ("./org/name", Reference(Kind.PATH, "./org/name")),
        ("/a/b", Reference(Kind.PATH, "/a/b")),
        ("~/a", Reference(Kind.PATH, "~/a")),
        ("suspect", Reference(Kind.NAME, "suspect")),
        ("12", Reference(Kind.NAME, "12")),
        ("a/b/c", Reference(Kind.NAME, "a/b/c")),
    ],
)
def test_parse(text: str, wanted: Reference) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize("text", ["", "  ", "hub:", "hub:a/b/c", "hub:-x/../y z"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_path_wins_over_catalog_and_hub(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model.parent / "org").mkdir()
    model.rename(model.parent / "org" / "name")
    monkeypatch.chdir(model.parent)

    def never(*_: object) -> tuple[str, str]:
        raise AssertionError("asked in vain")

    profile = resolve("org/name", catalogued=lambda _: ("/nowhere", "x", None), fetch=never)
    assert (profile.ref.reference, profile.ref.path) == ("org/name", str((model.parent / "org/name").resolve()))


def test_a_catalogued_name_wins_over_the_hub_but_not_over_its_prefix(made: Path, model: Path) -> None:
    def catalogued(name: str) -> tuple[str, str, str | None] | None:
        return (str(made), "org/name@main", COMMIT) if name in {"org/name", "7"} else None

    def fetch(name: str, revision: str | None) -> tuple[str, str]:
        assert (name, revision) == ("org/name", "v2")
        return str(model), COMMIT

    for text in ("org/name", "7"):
        ref = resolve(text, catalogued=catalogued, fetch=fetch).ref
        assert (ref.path, ref.reference, ref.revision) == (str(made.resolve()), "org/name@main", COMMIT)
    ref = resolve("hub:org/name@v2", catalogued=catalogued, fetch=fetch).ref
    assert (ref.path, ref.reference, ref.revision) == (str(model.resolve()), "hub:org/name@v2", COMMIT)


@pytest.mark.parametrize("text", ["/no/such/place", "./nowhere", "path:org/name", "suspect", "a/b/c"])
def test_nothing_there_is_a_usage_error_that_names_it(text: str) -> None:
    with pytest.raises(UsageError, match=text.removeprefix("path:").removeprefix("./")) as caught:
        resolve(text, catalogued=nothing)
    assert caught.value.code is ExitCode.USAGE
    assert caught.value.hint


def test_a_hub_name_without_network(made: Path) -> None:
    with pytest.raises(FetchError, match="there is no directory 'org/name'") as caught:
        resolve("org/name", catalogued=nothing)
    assert caught.value.code is ExitCode.INCOMPLETE

    def down(name: str, revision: str | None) -> tuple[str, str]:
        raise FetchError("the hub is down", hint="wait")

    with pytest.raises(FetchError, match=r"no directory 'org/name'.*the hub is down") as caught:
        resolve("org/name", catalogued=nothing, fetch=down)
    assert caught.value.hint == "wait"
    with pytest.raises(FetchError, match=r"^the hub is down"):
        resolve("hub:org/name", catalogued=nothing, fetch=down)


def test_a_repository_without_model_is_incomplete_not_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"org/name \(commit 0123456789ab\)"):
        resolve("org/name", catalogued=nothing, fetch=lambda *_: (str(tmp_path), COMMIT))


def test_a_catalogued_model_whose_directory_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="in the catalog, but its directory is gone") as caught:
        resolve("suspect", catalogued=lambda _: (str(tmp_path / "gone"), "suspect", None))
    assert "auditor models remove suspect" in caught.value.hint
