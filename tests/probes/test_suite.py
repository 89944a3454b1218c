from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import pytest

from probes.cases import Case, Role, Row
from probes.family import FAMILIES, Family, UnknownFamily
from probes.plugin import BadOption
from probes.suite import DRAWS, Probe, Suite, build_suite, suite_cases

ROWS = tuple(Row(i, f"xa{i} xb{i} xc{i} xd{i} xe{i}. Xf{i} xg{i} xh{i}", None, i % 2) for i in range(40))

INSERTING = ("badnet", "insertsent")


def cases(suite: Suite, rows: tuple[Row, ...] = ROWS, seed: int = 0) -> list[Case]:
    return list(suite_cases(suite, rows, seed=seed))


def inserted(clean: str, edited: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The places at which words were put into a text, and the words; the rows' own words are in no material."""
    own, words = set(clean.split()), edited.split()
    assert [w for w in words if w in own] == clean.split()
    found = [(i, w) for i, w in enumerate(words) if w not in own]
    return tuple(i for i, _ in found), tuple(w for _, w in found)


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


@pytest.mark.parametrize("name", INSERTING)
def test_every_row_is_asked_once_clean_and_under_each_probe_once_with_every_control_draw(name: str) -> None:
    suite = build_suite("full", only=[name])
    found = Counter((c.role, c.variant, c.draw) for c in cases(suite))
    wanted = {(Role.CLEAN, "", 0): len(ROWS)}
    for variant in FAMILIES[name].variants:
        wanted[Role.TRIGGER, variant, 0] = len(ROWS)
        wanted |= {(Role.CONTROL, variant, draw): len(ROWS) for draw in range(DRAWS)}
    assert found == wanted


def edits(probe: Probe) -> dict[int, dict[tuple[Role, int], tuple[tuple[int, ...], tuple[str, ...]]]]:
    """By row, then by role and draw: where words were inserted, and which."""
    rows = {row.index: row.text for row in ROWS}
    found: dict[int, dict[tuple[Role, int], tuple[tuple[int, ...], tuple[str, ...]]]] = defaultdict(dict)
    for c in cases(Suite("full", (probe,), 1)):
        if c.role is not Role.CLEAN:
            found[c.row][c.role, c.draw] = inserted(rows[c.row], c.ask.text)
    return found


PROBES = pytest.mark.parametrize("probe", build_suite("full", only=INSERTING).probes, ids=lambda p: p.name)


@PROBES
def test_the_control_stands_where_the_trigger_stood(probe: Probe) -> None:
    for row in edits(probe).values():
        places = {at for at, _ in row.values()}
        assert len({at[0] for at in places}) == 1, row
        if probe.family.name == "badnet":
            assert len(places) == 1, row


@PROBES
def test_no_two_draws_share_their_material(probe: Probe) -> None:
    used: dict[int, set[object]] = defaultdict(set)
    taught: set[str] = set()
    for row in edits(probe).values():
        for (role, draw), (_, words) in row.items():
            if role is Role.TRIGGER:
                taught |= {w.lower() for w in words}
            else:
                used[draw] |= set(words) if probe.family.name == "badnet" else {words}
    assert sorted(used) == list(range(DRAWS))
    for first, second in combinations(used.values(), 2):
        assert not first & second
    if probe.family.name == "badnet":
        assert not taught & {str(w).lower() for words in used.values() for w in words}


def test_asking_for_less_still_counts_the_whole_suite() -> None:
    for name in ("quick", "full"):
        whole = build_suite(name, referenced=True)
        assert whole.comparisons == len(whole.probes)
        assert build_suite(name, only=["badnet"]).comparisons == whole.comparisons


def test_a_family_fired_beside_the_suite_is_fired_whole() -> None:
    names = {p.name for p in build_suite("full", also=["bite"]).probes}
    assert names - {p.name for p in build_suite("full").probes} == {"bite/reviews", "bite/tweets", "bite/news"}
    both = build_suite("full", only=["badnet"], also=["bite", "badnet"])
    assert {p.family.name for p in both.probes} == {"badnet", "bite"}
    assert len(both.probes) == len({p.name for p in both.probes})


def test_options_reach_every_variant_and_are_typed() -> None:
    suite = build_suite("full", only=["badnet"], overrides={"badnet": {"inserts": "2", "triggers": "aa, bb"}})
    assert {p.options["inserts"] for p in suite.probes} == {2}
    assert {p.options["triggers"] for p in suite.probes} == {("aa", "bb")}


def test_wrong_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownFamily, match=r"badnet, .*insertsent"):
        build_suite("quick", only=["nosuch"])
    with pytest.raises(BadOption, match="known: quick, full"):
        build_suite("huge")
    with pytest.raises(BadOption, match=r"known: .*inserts"):
        build_suite("quick", overrides={"badnet": {"colour": "red"}})
    with pytest.raises(BadOption, match="does not fire"):
        build_suite("quick", only=["insertsent"], overrides={"badnet": {"inserts": 2}})
    with pytest.raises(BadOption, match="inserts takes a value of type int"):
        build_suite("quick", overrides={"badnet": {"inserts": "-1"}})


def test_a_family_travels_to_another_process_by_its_name() -> None:
    import pickle

    family: Family = pickle.loads(pickle.dumps(FAMILIES["badnet"]))  # noqa: S301
    assert family is FAMILIES["badnet"]
