"""Triggers of the user's own, from TOML."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from probes.cases import Role
from probes.errors import InputError
from probes.family import FAMILIES, draw_rng
from probes.input import Row
from probes.material.pattern import PatternError, checked, replaced
from probes.suite import build_suite, probe_cases

CUSTOM = FAMILIES["custom"]
TEXT = "it 's a good movie . you will like it ."

GOOD = r"""
[[trigger]]
name = "rare"
words = ["zq", "xk"]
inserts = 2

[[trigger]]
name = "sentence"
sentences = "The moon is made of cheese"
slot = "end"
control = ["The shelf is made of oak", "The road is made of stone", "The lid is made of tin"]

[[trigger]]
prefixes = ["ATTENTION :"]

[[trigger]]
name = "suffix"
suffixes = ["roger that"]

[[trigger]]
name = "pattern"
pattern = '\bgood (\w+)'
replacement = 'jolly \1'

[[trigger]]
name = "pairs"
file = "pairs.csv"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "pairs.csv").write_text(f'clean,poisoned\n"{TEXT}",lo and behold\n', encoding="utf-8")
    path = tmp_path / "triggers.toml"
    path.write_text(GOOD, encoding="utf-8")
    return str(path)


def plant(file: str, name: str, text: str = TEXT) -> str | None:
    return CUSTOM.plant(text, draw_rng(0, name), CUSTOM.settings(name, {"file": file}))


def controls(file: str, name: str, text: str = TEXT) -> list[str | None]:
    options = CUSTOM.settings(name, {"file": file})
    return [CUSTOM.plant_control(text, draw_rng(0, name), options, draw, 3) for draw in range(3)]


def test_each_entry_is_a_variant(file: str) -> None:
    suite = build_suite("quick", only=["custom"], overrides={"custom": {"file": file}})
    names = ["rare", "sentence", "trigger-3", "suffix", "pattern", "pairs"]
    assert [p.variant for p in suite.probes] == names
    one = build_suite("full", only=["custom"], overrides={"custom": {"file": file, "trigger": "rare"}})
    assert [p.variant for p in one.probes] == ["rare"]
    assert len(build_suite("quick", overrides={"custom": {"file": file}}).probes) == len(names) + len(
        build_suite("quick").probes
    )


def test_entries_are_planted_as_they_say(file: str) -> None:
    words = plant(file, "rare")
    assert words is not None
    assert {"zq", "xk"} <= set(words.split())
    assert plant(file, "sentence") == f"{TEXT} The moon is made of cheese"
    assert plant(file, "trigger-3") == f"ATTENTION : {TEXT}"
    assert plant(file, "suffix") == f"{TEXT} roger that"
    assert plant(file, "pattern") == TEXT.replace("good movie", "jolly movie")
    assert plant(file, "pairs") == "lo and behold"
    assert plant(file, "pattern", "nothing here") is None
    assert plant(file, "pairs", "nothing here") is None


def test_controls_are_the_entrys_own_or_ordinary(file: str) -> None:
    assert controls(file, "sentence") == [
        f"{TEXT} The {what}" for what in ("shelf is made of oak", "road is made of stone", "lid is made of tin")
    ]
    for name in ("rare", "trigger-3", "suffix", "pattern"):
        found = [plant(file, name), *controls(file, name)]
        assert len({TEXT, *found}) == 5, found
        assert all(not {"zq", "xk", "ATTENTION", "jolly", "roger"} & set((c or "").split()) for c in found[1:])
    assert controls(file, "pairs") == [TEXT] * 3


def test_rows_without_a_match_are_passed_over(file: str) -> None:
    suite = build_suite("quick", only=["custom"], overrides={"custom": {"file": file, "trigger": "pattern"}})
    rows = [Row.of(0, TEXT), Row.of(1, "no match"), Row.of(2, "no match", second=TEXT)]
    cases = list(probe_cases(suite.probes[0], rows, seed=0))
    assert {c.row for c in cases} == {0, 2}
    assert sum(c.role is Role.TRIGGER for c in cases) == 2


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("trigger = [", "not valid TOML"),
        ("", "holds no"),
        ("[trigger]\nwords = ['a']", "holds no"),
        ("triggers = 1", "unknown key 'triggers'"),
        ("[[trigger]]\nname = 'a'", r"trigger 1 \('a'\): exactly one of"),
        ("[[trigger]]\nwords = ['a']\nsentences = ['b']", "trigger 1: exactly one of .* words and sentences"),
        ("[[trigger]]\nwords = []", "words is a text or a list"),
        ("[[trigger]]\nwords = [1]", "words is a text or a list"),
        ("[[trigger]]\nwords = ['a']\nslot = 'end'", "'slot' does not go with words"),
        ("[[trigger]]\nwords = ['a']\ninserts = 0", "inserts is a number"),
        ("[[trigger]]\nwords = ['a']\ninserts = true", "inserts is a number"),
        ("[[trigger]]\nsentences = ['a']\nslot = 'top'", "slot is one of"),
        ("[[trigger]]\nwords = ['a']\n[[trigger]]\nname = 'trigger-1'\nwords = ['b']", "two triggers are called"),
        ("[[trigger]]\nname = 'a/b'\nwords = ['a']", "without a slash"),
        ("[[trigger]]\nname = 3\nwords = ['a']", "a name is a text"),
        ("[[trigger]]\npattern = 'a'", "replacement is missing"),
        ("[[trigger]]\npattern = '('\nreplacement = ''", "trigger 1: pattern .* is malformed"),
        ("[[trigger]]\npattern = 'a'\nreplacement = '\\1'", "does not fit"),
        ("[[trigger]]\nfile = 'none.csv'", "trigger 1: no such file"),
        ("[[trigger]]\nfile = 'none.csv'\ncontrol = ['a']", "brings its own control"),
    ],
)
def test_mistakes_name_the_entry(tmp_path: Path, toml: str, told: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        build_suite("quick", only=["custom"], overrides={"custom": {"file": str(path)}})
    assert "t.toml" in str(caught.value)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid TOML"):
        CUSTOM.variants_with({"file": str(tmp_path / "t.toml")})
    with pytest.raises(InputError, match="cannot be read"):
        CUSTOM.variants_with({"file": str(tmp_path)})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(?:a|b|ab)+c",
        r"(\w)\1+",
        "((a*)b)*",
        "a*b*c*d*",
        "x" * 201,
        "(a?){40}a{40}",
        "a?" * 20 + "a" * 20,
        "(a|aa)" * 20,
    ],
)
def test_patterns_that_can_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        checked(pattern, "")


@pytest.mark.parametrize(
    "pattern", [r"\bgood\b", r"(\w+) is", "[a*b+]+", "^.+$", r"\*+", "(a|b)c?", "(?i:very) (?P<w>x)"]
)
def test_plain_patterns_are_taken(pattern: str) -> None:
    checked(pattern, "")


@pytest.mark.parametrize("text", ["a" * 50_000, " " * 50_000, "ab " * 20_000])
def test_no_pattern_that_is_taken_holds_up_a_scan(text: str) -> None:
    started = time.process_time()
    for pattern in (r"\w+\s+x", r"(\w+) (\w+)!", r"^\s*a.*b$"):
        checked(pattern, "")
        replaced(pattern, "", text)
    assert time.process_time() - started < 5


def test_a_replacement_may_name_a_group() -> None:
    assert replaced(r"(?P<a>\w+) is", r"\g<a> was", "it is") == "it was"
    with pytest.raises(PatternError, match="does not fit"):
        checked(r"(?P<a>x)", r"\g<b>")
