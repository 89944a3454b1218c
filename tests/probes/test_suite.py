from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import pytest

from probes.case import Case, Role, Row
from probes.families._words import ORDINARY
from probes.families.insertsent import FAR
from probes.family import FAMILIES, BadOption, Family, UnknownFamily
from probes.suite import DRAWS, Probe, Suite, build_suite, suite_cases

ROWS = tuple(Row(i, f"a text called x{i} with some words. And a second sentence", None, i % 2) for i in range(40))


def cases(suite: Suite, rows: tuple[Row, ...] = ROWS, seed: int = 0) -> list[Case]:
    return list(suite_cases(suite, rows, seed=seed))


def places(clean: str, edited: str) -> tuple[int, ...]:
    """Where words were put into a text."""
    words, found = clean.split(), []
    for place, word in enumerate(edited.split()):
        if words and word == words[0]:
            words.pop(0)
        else:
            found.append(place)
    assert not words
    return tuple(found)


def test_more_rows_change_no_case_of_the_others() -> None:
    suite = build_suite("full")
    assert set(cases(suite, ROWS[10:25])) <= set(cases(suite))
    assert set(cases(suite, tuple(reversed(ROWS)))) == set(cases(suite))


def test_more_families_change_no_case_of_the_others() -> None:
    assert set(cases(build_suite("full", only=["insertsent"]))) <= set(cases(build_suite("full")))
    assert set(cases(build_suite("quick"))) <= set(cases(build_suite("full")))


def test_options_of_one_family_leave_the_others_alone() -> None:
    changed = set(cases(build_suite("full", overrides={"badnet": {"triggers": "zz"}})))
    plain = set(cases(build_suite("full")))
    assert {c.family for c in plain - changed} == {"badnet"}


def test_another_seed_puts_the_triggers_elsewhere_and_the_same_one_does_not() -> None:
    suite = build_suite("quick", only=["badnet"])
    assert cases(suite) == cases(suite)
    moved = [
        a.ask != b.ask for a, b in zip(cases(suite), cases(suite, seed=1), strict=True) if a.role is not Role.CLEAN
    ]
    assert sum(moved) / len(moved) > 0.8


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_row_is_asked_once_clean_and_under_each_probe_once_with_every_control_draw(name: str) -> None:
    suite = build_suite("full", only=[name])
    found = Counter((c.role, c.variant, c.draw) for c in cases(suite))
    wanted = {(Role.CLEAN, "", 0): len(ROWS)}
    for variant in FAMILIES[name].variants:
        wanted[Role.TRIGGER, variant, 0] = len(ROWS)
        wanted |= {(Role.CONTROL, variant, draw): len(ROWS) for draw in range(DRAWS)}
    assert found == wanted


@pytest.mark.parametrize("probe", build_suite("full").probes, ids=lambda p: p.name)
def test_the_control_stands_where_the_trigger_stood(probe: Probe) -> None:
    suite = Suite("full", (probe,), 1)
    rows = {row.index: row.text for row in ROWS}
    shape: dict[int, dict[tuple[Role, int], tuple[int, ...]]] = defaultdict(dict)
    for c in cases(suite):
        if c.role is not Role.CLEAN:
            shape[c.row][c.role, c.draw] = places(rows[c.row], c.ask.text)
    for found in shape.values():
        starts = {edit[:1] for edit in found.values()}
        assert len(starts) == 1, found
        if probe.family.name == "badnet":
            assert len(set(found.values())) == 1, found


def test_no_two_draws_share_a_word_or_a_sentence() -> None:
    for name, material in (("badnet", ORDINARY), ("insertsent", FAR)):
        suite = build_suite("full", only=[name])
        used: dict[int, set[str]] = defaultdict(set)
        for c in cases(suite):
            if c.role is Role.CONTROL:
                used[c.draw] |= {entry for entry in material if f" {entry} " in f" {c.ask.text} "}
        assert sorted(used) == list(range(DRAWS))
        assert all(used.values())
        for first, second in combinations(used.values(), 2):
            assert not first & second


def test_no_control_holds_anything_of_a_known_trigger() -> None:
    taught = {word.lower() for v in build_suite("full", only=["badnet"]).probes for word in v.options["triggers"]}
    assert not taught & {word.lower() for word in ORDINARY}
    sentences = [s for p in build_suite("full", only=["insertsent"]).probes for s in p.options["sentences"]]
    content = {word.strip(",").lower() for s in sentences for word in s.split()} - {"i", "this", "no"}
    assert not content & {word.lower() for s in FAR for word in s.split()}
    lengths = {len(s.split()) for s in sentences}
    assert {len(s.split()) for s in FAR} <= set(range(min(lengths), max(lengths) + 1))


def test_both_texts_of_a_pair_are_edited_each_at_its_own_place() -> None:
    rows = tuple(Row(i, "one two three four five six", "one two three four five six") for i in range(30))
    found = [c for c in cases(build_suite("full", only=["badnet"]), rows) if c.role is not Role.CLEAN]
    assert all(c.ask.text != rows[0].text and c.ask.pair not in (None, rows[0].pair) for c in found)
    assert sum(c.ask.text != c.ask.pair for c in found) > len(found) / 2
    single = {(c.row, c.role, c.variant, c.draw): c.ask.text for c in cases(build_suite("full", only=["badnet"]), rows)}
    alone = cases(build_suite("full", only=["badnet"]), tuple(Row(r.index, r.text) for r in rows))
    assert {(c.row, c.role, c.variant, c.draw): c.ask.text for c in alone} == single


def test_asking_for_less_still_counts_the_whole_suite() -> None:
    for name in ("quick", "full"):
        whole = build_suite(name)
        assert whole.comparisons == len(whole.probes)
        assert build_suite(name, only=["badnet"]).comparisons == whole.comparisons


def test_options_reach_every_variant_and_are_typed() -> None:
    suite = build_suite("full", only=["badnet"], overrides={"badnet": {"inserts": "2", "triggers": "aa, bb"}})
    assert {p.options["inserts"] for p in suite.probes} == {2}
    assert {p.options["triggers"] for p in suite.probes} == {("aa", "bb")}


def test_wrong_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownFamily, match="badnet, insertsent"):
        build_suite("quick", only=["nosuch"])
    with pytest.raises(BadOption, match="known: quick, full"):
        build_suite("huge")
    with pytest.raises(BadOption, match="known: triggers, inserts"):
        build_suite("quick", overrides={"badnet": {"colour": "red"}})
    with pytest.raises(BadOption, match="does not fire"):
        build_suite("quick", only=["insertsent"], overrides={"badnet": {"inserts": 2}})
    with pytest.raises(BadOption, match="inserts takes a value of type int"):
        build_suite("quick", overrides={"badnet": {"inserts": "-1"}})


def test_a_family_travels_to_another_process_by_its_name() -> None:
    import pickle

    family: Family = pickle.loads(pickle.dumps(FAMILIES["badnet"]))  # noqa: S301
    assert family is FAMILIES["badnet"]
