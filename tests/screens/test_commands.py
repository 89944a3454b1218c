"""What screens start: every argument list is one that the command line takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from auditor.cli import app
from auditor.requests.arguments import (
    Everywhere,
    add_arguments,
    compare_arguments,
    demo_arguments,
    pull_arguments,
    remove_arguments,
    report_arguments,
    shown,
)
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest

SCAN = ScanRequest(
    model="my model",
    data=DataRequest("rows.csv", "text", "pair", "gold"),
    suite="full",
    families=("badnet",),
    overrides={"badnet": {"inserts": 3, "words": ["a,b"]}},
    samples=120,
    target="negative",
    references=("one", "two"),
    seed=4,
    fresh=True,
    students=2,
    base="theirs",
)
WRITER = ScanRequest(
    model="writer",
    families=("badmagic",),
    samples=40,
    target="refusal",
    base="org/base",
    prompts="prompts.txt",
    template="alpaca",
    decoding="nucleus",
)
EVERYWHERE = Everywhere("cpu", 7, "policy.toml")
OUT = Path("out")
MERGE = MergeRequest(
    ("a", "b"), weights=(0.2, 0.4, 0.4), options={"x": "1"}, base="base", output=OUT, labels={"NEG": "negative"}
)
LISTS: dict[str, Sequence[str]] = {
    "scan": SCAN.arguments(EVERYWHERE),
    "plain scan": ScanRequest("m").arguments(),
    "scan of a model that writes": WRITER.arguments(EVERYWHERE),
    "audit of a model that writes": MergeRequest(("a",), base="org/base", output=OUT).audit(WRITER, EVERYWHERE),
    "merge": MERGE.arguments("suspect", EVERYWHERE),
    "audit": MERGE.audit(SCAN, EVERYWHERE),
    "search": MergeRequest(("a",), output=OUT, search=Budget(3, 1.5)).audit(SCAN, EVERYWHERE),
    "audit with students": MergeRequest(make_partner=2, suspect_weight=0.2).audit(SCAN),
    "add": add_arguments("/models/x", "x", ["one", "two"]),
    "remove": remove_arguments("3"),
    "pull": pull_arguments("org/name@main"),
    "compare": compare_arguments("aaaa", "bbbb"),
    "report": report_arguments("aaaa", "html", "out.html"),
    "demo": demo_arguments("place", "sqlite:///c.db"),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_command_line_takes_it(name: str) -> None:
    words = list(LISTS[name])
    command = typer.main.get_command(app)
    context = command.make_context("auditor", words, resilient_parsing=False)
    while (found := getattr(command, "commands", None)) is not None:
        chosen, rest = found[words[0]], words[1:]
        context = chosen.make_context(words[0], rest, parent=context)
        command, words = chosen, rest
    assert not context.args


def test_an_audit_asks_the_scan_again_with_the_same_rows() -> None:
    words = MergeRequest(("a",), output=OUT).audit(SCAN)
    assert words[:2] == ("audit", "my model")
    assert words[words.index("--seed") + 1] == "4"
    assert words[words.index("--data") + 1] == "rows.csv"
    assert words[words.index("--merged") + 1] == "out"


def test_what_is_shown_can_be_typed() -> None:
    text = shown(SCAN.arguments(), "my catalog.db")
    assert shlex.split(text) == ["auditor", *SCAN.arguments(), "--catalog", "my catalog.db"]
    assert shown(demo_arguments("d", "u"), "other").count("--catalog") == 1
