"""What screens start: every argument list is one that the command line takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest
import typer

from auditor.cli import app
from auditor.requests.arguments import (
    DataChoice,
    MergeChoice,
    ScanChoice,
    add_arguments,
    compare_arguments,
    demo_arguments,
    pull_arguments,
    remove_arguments,
    report_arguments,
    shown,
)

SCAN = ScanChoice(
    model="my model",
    data=DataChoice("rows.csv", "text", "pair", "gold"),
    suite="full",
    families=("badnet",),
    sets=("badnet.inserts=3",),
    samples=120,
    target="negative",
    references=("one", "two"),
    device="cpu",
    seed=4,
    policy="policy.toml",
    fresh=True,
)
MERGE = MergeChoice(
    "suspect", ("a", "b"), "out", weights=("0.2", "0.4", "0.4"), sets=("wag.x=1",), base="base", policy="policy.toml"
)
LISTS: dict[str, Sequence[str]] = {
    "scan": SCAN.arguments(),
    "plain scan": ScanChoice("m").arguments(),
    "merge": MERGE.arguments(),
    "audit": MergeChoice("suspect", ("a",), "out", weights=("1", "2"), rescan=SCAN).arguments(),
    "search": MergeChoice("suspect", ("a",), "out", rescan=SCAN, search=True).arguments(),
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
    words = MergeChoice("suspect", ("a",), "out", rescan=SCAN).arguments()
    assert words[:2] == ("audit", "suspect")
    assert words[words.index("--data") + 1] == "rows.csv"
    assert words[words.index("--merged") + 1] == "out"


def test_what_is_shown_can_be_typed() -> None:
    text = shown(SCAN.arguments(), "my catalog.db")
    assert shlex.split(text) == ["auditor", *SCAN.arguments(), "--catalog", "my catalog.db"]
    assert shown(demo_arguments("d", "u"), "other").count("--catalog") == 1
