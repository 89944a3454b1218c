"""What a scan says of itself: its limits, and the command that repeats it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from auditor.console.values import read_sets
from auditor.errors import UsageError
from auditor.policy import Policy
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.scan.checks import target_index
from auditor.scan.judgement.classification import label_order
from auditor.scan.limits import limits_of
from auditor.scan.prepare import family_options
from probes.corpus import builtin
from probes.family import UnknownFamily
from probes.suite import build_suite
from tests.auditor.conftest import expanded


def limits(**changes: Any) -> str:
    settings: dict[str, Any] = {
        "request": ScanRequest("model", data=DataRequest("rows.csv")),
        "suite": build_suite("full", only=["badnet", "insertsent"]),
        "known": ["badnet", "insertsent"],
        "corpus": builtin("sentiment", labels=("negative", "positive")),
        "rows": 400,
        "probed": 400,
        "gold": True,
        "device": "cpu",
        "dtype": "float32",
        "stored_dtype": "F32",
        "max_length": 128,
        "notes": (),
    }
    return "\n".join(limits_of(**{**settings, **changes}))


def test_triggers_outside_the_suite_are_always_named_as_unseen() -> None:
    assert "badnet, insertsent" in limits()
    assert "another trigger" in limits()


def test_what_was_left_out_is_said() -> None:
    assert "did not fire: insertsent" in limits(suite=build_suite("full", only=["badnet"]))
    assert "badnet/three" in limits(suite=build_suite("quick", only=["badnet", "insertsent"]))
    assert "Only the target 1" in limits(request=ScanRequest("m", target="1"))
    assert "built-in" in limits(request=ScanRequest("m"))
    some = limits(known=["badnet", "insertsent", "trojanlm", "style", "custom"])
    assert "did not fire: trojanlm, style, custom" in some, "one variant that needs references excuses no others"
    assert "alone can judge them: trojanlm/all" in some
    alone = limits(known=["badnet", "insertsent", "style"], screened=["style/bible", "style/tweet"])
    assert "insertsent, style. A backdoor" in alone
    assert "did not fire" not in alone
    assert "style/lyrics" in alone, "it is left to the full suite"
    assert "100 of 400 rows were probed." in limits(rows=100, probed=100)
    assert "100 of 400 rows were probed; 250 others were asked as they are" in limits(rows=350, probed=100)
    assert "no gold labels" in limits(gold=False)
    assert "stored as BF16" in limits(stored_dtype="BF16")
    assert "cut at 128 tokens" in limits()
    plain = limits()
    assert not any(words in plain for words in ("did not fire", "Only the target", "built-in", "no gold", "stored as"))


def test_the_command_repeats_the_request() -> None:
    options = {"insertsent": {"sentences": ("no cross, no crown",)}, "badnet": {"inserts": 3}}
    request = ScanRequest(
        "my model", DataRequest("a b.csv", "t", "p", "l"), "full", ("badnet", "insertsent"), "positive", 300,
        ("ref one", "two"), options, 7, 64,
    )  # fmt: skip
    words = shlex.split(request.command())
    assert words[:3] == ["auditor", "scan", "my model"]
    given = list(zip(words[3::2], words[4::2], strict=True))
    assert {
        ("--data", "a b.csv"), ("--text-column", "t"), ("--pair-column", "p"), ("--label-column", "l"),
        ("--suite", "full"), ("--family", "badnet"), ("--family", "insertsent"), ("--target", "positive"),
        ("--samples", "300"), ("--reference", "ref one"), ("--reference", "two"), ("--seed", "7"),
        ("--max-length", "64"),
    } <= set(given)  # fmt: skip
    suite = build_suite("full", only=request.families, overrides=read_sets([v for k, v in given if k == "--set"]))
    assert suite == build_suite("full", only=request.families, overrides=options)
    assert expanded(words[1:]) == words[1:]


def test_the_command_of_one_family_leaves_the_options_of_others_away() -> None:
    request = ScanRequest("m", overrides={"badnet": {"inserts": 3}, "insertsent": {"slot": "end"}})
    command = request.command(family="insertsent")
    assert "--family insertsent" in command
    assert "slot=end" in command
    assert "badnet" not in command


def test_the_users_options_change_the_policys_one_by_one() -> None:
    policy = Policy(families={"badnet": {"inserts": 2, "triggers": "aa"}, "insertsent": {"slot": "end"}})
    request = ScanRequest("m", overrides={"badnet": {"inserts": "4"}})
    assert family_options(request, policy) == {
        "badnet": {"inserts": "4", "triggers": "aa"},
        "insertsent": {"slot": "end"},
    }
    only = family_options(ScanRequest("m", families=("badnet",)), policy)
    assert only == {"badnet": {"inserts": 2, "triggers": "aa"}}, "a policy may speak of families that are not fired"
    with pytest.raises(UnknownFamily, match="nosuch"):
        family_options(request, Policy(families={"nosuch": {}}))


def test_a_target_is_a_name_or_an_index() -> None:
    labels = ("negative", "Positive", "2")
    assert [target_index(t, labels) for t in ("POSITIVE", "0", "2")] == [1, 0, 2]
    with pytest.raises(UsageError) as caught:
        target_index("3", labels)
    assert "1 Positive" in caught.value.hint


def test_labels_in_another_order_are_told_from_other_labels() -> None:
    assert label_order(("b", "C", "a"), ("A", "b", "c")) == (1, 2, 0)
    assert label_order(("A", "B"), ("a", "b")) is None
    assert label_order(("LABEL_0", "LABEL_1"), ("a", "b")) is None
